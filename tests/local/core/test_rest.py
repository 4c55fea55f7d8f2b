"""A call of a product is asked for what it declares, and for nothing else."""

from typing import Any

import pytest

from local.cloud import Cloud
from local.services.eventarc.service import HOST as EVENTARC
from local.services.firebase import hosting, identity, remote_config, rules
from local.services.iam.project_policies import HOST as PROJECTS
from local.services.iam.service_accounts import HOST as IAM
from local.services.monitoring.alerts import HOST as MONITORING
from local.services.scheduler.jobs import HOST as SCHEDULER
from local.services.secret_manager.secrets import HOST as SECRETS
from tests.local.support.rest import Product

SITE = "/v1beta1/sites/shop"
ACCOUNT = "/v1/projects/shop/serviceAccounts/shop@shop.iam.gserviceaccount.com"
SECRET = "/v1/projects/shop/secrets/PAYMENT_KEY"
TRIGGERS = "/v1/projects/shop/locations/europe-west1/triggers"
TRIGGER = {
    "destination": {"cloudRun": {"service": "mailer", "region": "europe-west1"}},
    "eventFilters": [{"attribute": "type", "value": "google.cloud.audit.log.v1.written"}],
}


@pytest.mark.parametrize(
    ("host", "method", "path", "body", "named"),
    [
        (hosting.HOST, "POST", f"{SITE}/channels?channelId=next", {"foo": 1}, "foo"),
        (hosting.HOST, "POST", f"{SITE}/versions", {"foo": 1}, "foo"),
        (hosting.HOST, "POST", f"{SITE}/versions?versionId=7", {}, "versionId"),
        (hosting.HOST, "PATCH", f"{SITE}/channels/live?updateMask=bogus", {"ttl": "60s"}, "bogus"),
        (hosting.HOST, "GET", f"{SITE}/versions?filter=status%3DFINALIZED", None, "filter"),
        (rules.HOST, "POST", "/v1/projects/shop/rulesets", {"attachmentPoint": "x"}, "attachmentPoint"),
        (
            *(rules.HOST, "POST", "/v1/projects/shop/releases"),
            {"name": "projects/shop/releases/x", "rulesetName": "x", "testSuiteName": "x"},
            "testSuiteName",
        ),
        (rules.HOST, "GET", "/v1/projects/shop/releases?filter=name%3Dx", None, "filter"),
        (remote_config.HOST, "PUT", "/v1/projects/shop/remoteConfig", {"foo": 1}, "foo"),
        (
            *(remote_config.HOST, "GET"),
            *("/v1/projects/shop/remoteConfig:listVersions?endVersionNumber=1", None, "endVersionNumber"),
        ),
        (EVENTARC, "POST", f"{TRIGGERS}?triggerId=t", {**TRIGGER, "conditions": {}}, "conditions"),
        (EVENTARC, "GET", f"{TRIGGERS}?filter=x", None, "filter"),
        (SECRETS, "POST", f"{SECRET}/versions/1:disable", {"foo": 1}, "foo"),
        (SECRETS, "GET", f"{SECRET}/versions?filter=state%3AENABLED", None, "filter"),
        (IAM, "POST", f"{ACCOUNT}:disable", {"foo": 1}, "foo"),
        (IAM, "POST", f"{ACCOUNT}:getIamPolicy", {"options": {"foo": 1}}, "foo"),
        (PROJECTS, "POST", "/v1/projects/shop:getIamPolicy", {"options": "x"}, "options"),
        (SCHEDULER, "POST", "/v1/projects/shop/locations/europe-west1/jobs/nightly:pause", {"foo": 1}, "foo"),
        (MONITORING, "GET", "/v3/projects/shop/alertPolicies?filter=x", None, "filter"),
        (identity.HOST, "POST", "/v1/projects/shop/accounts", {"localId": "ada", "foo": 1}, "foo"),
        (identity.HOST, "PATCH", "/admin/v2/projects/shop/config?updateMask=mfa", {"foo": 1}, "foo"),
    ],
)
def test_what_a_call_does_not_read_is_refused_by_its_name(
    cloud: Cloud, host: str, method: str, path: str, body: Any, named: str
) -> None:
    """Nothing that a client sends is dropped in silence."""
    refused = Product(cloud, host).ask(method, path, body)

    assert refused.status_code == 400
    assert refused.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert named in refused.json()["error"]["message"]


def test_a_null_says_nothing(cloud: Cloud) -> None:
    """As in all JSON of messages: the field has its default."""
    made = Product(cloud, hosting.HOST).done("POST", f"{SITE}/channels?channelId=null", {"ttl": None})

    assert "expireTime" not in made
