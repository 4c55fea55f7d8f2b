"""Secrets and personal data, as they stand in texts."""

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJldmUiLCJhdWQiOiJyb2xsYmFjayJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
SECRETS = {
    "token": JWT,
    "token, cut off": JWT[:60],
    "token, its header": JWT.partition(".")[0],
    "access token": "ya29.a0AfH6SMBx-secret",
    "refresh token": "1//0gsecretsecretsecret",
    "API key": "AIzaSyD-secret0secret1secret2secret3x",
    "client secret": "GOCSPX-secretsecretsecret",
    "GitHub": "ghp_secretsecretsecretsecretsecretsecret",
    "Slack": "xoxb-1234-secret-secret",
    "AWS": "AKIAIOSFODNN7SECRET0",
    "private key": "-----BEGIN PRIVATE KEY-----\\nMIIsecret+secret/secret==\\n-----END",
}
PERSONAL = {
    "mail": "jane.doe+cv@example.co.uk",
    "phone": "+1 650-555-0100",
    "phone, written together": "+491701234567",
    "phone, in brackets": "(650) 555-0100",
}
