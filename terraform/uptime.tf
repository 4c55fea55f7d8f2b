# The probes of the policy files, requested from several regions, but for those with a test account:
# each five minutes where the probe names a signal, which the responders request twice a minute, and each
# minute elsewhere and for frontend_unavailable. The responders send the same requests themselves before they believe an alert, and
# compare the values of a JSON answer too.

resource "google_monitoring_uptime_check_config" "probe" {
  for_each = local.checked_probes

  project          = each.value.project
  display_name     = "${each.value.system}: ${each.value.name}"
  period           = "${each.value.period}s"
  timeout          = "${min(60, max(1, each.value.timeout))}s"
  selected_regions = var.uptime_regions

  http_check {
    path                = "/${trimprefix(each.value.address[2], "/")}"
    port                = coalesce(each.value.address[1], "443")
    use_ssl             = true
    validate_ssl        = true
    request_method      = each.value.method
    body                = each.value.body == null ? null : base64encode(each.value.body)
    content_type        = each.value.body == null ? null : "USER_PROVIDED"
    custom_content_type = each.value.body == null ? null : lookup({ for name, value in each.value.headers : lower(name) => value }, "content-type", "application/json")
    headers             = { for name, value in each.value.headers : name => value if lower(name) != "content-type" }

    # The expected status; or whole classes below the policy's bound, then single codes up to it.
    dynamic "accepted_response_status_codes" {
      for_each = each.value.status == null ? [] : [each.value.status]
      content {
        status_value = accepted_response_status_codes.value
      }
    }
    dynamic "accepted_response_status_codes" {
      for_each = each.value.status == null ? range(2, floor(each.value.status_below / 100)) : []
      content {
        status_class = "STATUS_CLASS_${accepted_response_status_codes.value}XX"
      }
    }
    dynamic "accepted_response_status_codes" {
      for_each = each.value.status == null ? range(floor(each.value.status_below / 100) * 100, each.value.status_below) : []
      content {
        status_value = accepted_response_status_codes.value
      }
    }
  }

  dynamic "content_matchers" {
    for_each = each.value.text == "" ? [] : [each.value.text]
    content {
      content = content_matchers.value
      matcher = "CONTAINS_STRING"
    }
  }

  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = each.value.project, host = each.value.address[0] }
  }

  user_labels = { rollback_system = each.value.system }

  depends_on = [google_project_service.operations, google_project_service.others]
}
