# The probes of the policy files, asked from several regions: each five minutes where the responders
# ask twice a minute themselves, which is where the probe names a signal; each minute elsewhere. The responders ask the
# same questions themselves before they believe an alert.

resource "google_monitoring_uptime_check_config" "probe" {
  for_each = local.checked_probes

  project          = each.value.project
  display_name     = "${each.value.system}: ${each.value.name}"
  period           = "${each.value.period}s"
  timeout          = "${min(60, max(1, each.value.timeout))}s"
  selected_regions = var.uptime_regions

  http_check {
    path         = "/${trimprefix(each.value.address[2], "/")}"
    port         = coalesce(each.value.address[1], "443")
    use_ssl      = true
    validate_ssl = true

    # Whole classes below the policy's bound, then single codes up to it.
    dynamic "accepted_response_status_codes" {
      for_each = range(2, floor(each.value.status_below / 100))
      content {
        status_class = "STATUS_CLASS_${accepted_response_status_codes.value}XX"
      }
    }
    dynamic "accepted_response_status_codes" {
      for_each = range(floor(each.value.status_below / 100) * 100, each.value.status_below)
      content {
        status_value = accepted_response_status_codes.value
      }
    }
  }

  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = each.value.project, host = each.value.address[0] }
  }

  user_labels = { rollback_system = each.value.system }

  depends_on = [google_project_service.operations, google_project_service.others]
}
