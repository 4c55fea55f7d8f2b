# What an earlier version had made under another name, for an apply over its state.

# A channel is made once, where each system had its own: the first system's goes on. Those of other
# systems are removed once no alert names them.
moved {
  from = google_monitoring_notification_channel.pager["cvplus/oncall"]
  to   = google_monitoring_notification_channel.pager["oncall"]
}

# Grants that one binding or policy has taken over are forgotten, not removed: to remove them would take
# them from it.

removed {
  from = google_project_iam_member.applications
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_project_iam_member.state
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_project_iam_member.state_readers
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_project_iam_member.console_reads
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_project_iam_member.users
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_project_iam_member.console_users
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_pubsub_topic_iam_member.responders
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_pubsub_topic_iam_member.clock
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_pubsub_topic_iam_member.console
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_pubsub_topic_iam_member.given_up
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_pubsub_topic_iam_member.people
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_pubsub_topic_iam_member.replay
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_secret_manager_secret_iam_member.readers
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_storage_bucket_iam_binding.owners
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_storage_bucket_iam_binding.values_reader
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_storage_bucket_iam_member.build
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_storage_bucket_iam_member.exporters
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_storage_bucket_iam_member.public
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_storage_bucket_iam_member.rebuilders
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_storage_bucket_iam_member.responders
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_pubsub_subscription_iam_member.letters_from
  lifecycle {
    destroy = false
  }
}

removed {
  from = google_pubsub_subscription_iam_member.letters_kept
  lifecycle {
    destroy = false
  }
}
