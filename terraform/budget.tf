# Tells people, by mail, when the operations project costs more than expected. Never on the topic
# of alerts: a budget's messages have another form, and each would become a dead letter.

locals {
  # A budget writes to at most five channels, and only by mail.
  budget_channels = slice(local.operations_mail, 0, min(5, length(local.operations_mail)))
  operations_mail = [
    for name, pager in var.pager_channels : google_monitoring_notification_channel.pager[name].id if pager.type == "email"
  ]
}

resource "google_project_service" "budget" {
  count = var.billing_account == null ? 0 : 1

  project            = var.operations_project
  service            = "billingbudgets.googleapis.com"
  disable_on_destroy = false # somebody else may have come to need it
}

resource "google_billing_budget" "operations" {
  count = var.billing_account == null ? 0 : 1

  billing_account = var.billing_account
  display_name    = "Emergency rollback (${var.operations_project})"

  budget_filter {
    projects        = ["projects/${data.google_project.every[var.operations_project].number}"]
    calendar_period = "MONTH"
  }

  amount {
    specified_amount {
      units = tostring(var.budget_amount)
    }
  }

  threshold_rules {
    threshold_percent = 0.5
  }
  threshold_rules {
    threshold_percent = 1
  }
  threshold_rules {
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = local.budget_channels
    disable_default_iam_recipients   = false # the administrators of the billing account hear too
  }

  depends_on = [google_project_service.budget]
}
