# Two clocks in two regions: a second tick in the same half minute does nothing.
resource "google_cloud_scheduler_job" "clock" {
  for_each = toset(var.clock_regions)

  project     = var.operations_project
  region      = each.key
  name        = "rollback-clock"
  description = "Ticks the clock of the rollback responders."
  schedule    = "* * * * *"
  time_zone   = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.rollback["rollback-clock"].id
    data       = base64encode("tick from ${each.key}")
  }

  depends_on = [google_pubsub_topic_iam_binding.publishers]
}
