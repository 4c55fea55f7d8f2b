"""Firebase: Hosting, Remote Config, Rules, Authentication, messaging."""
