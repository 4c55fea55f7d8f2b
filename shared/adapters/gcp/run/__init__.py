"""Cloud Run and Cloud Functions: platform, builder, images."""
