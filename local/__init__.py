"""The embedded cloud: Google's wire protocols, served on loopback, behind which CVPlus runs."""
