"""The first part: a sound system that may act by itself, and a bad release of all of it."""

from datetime import datetime, timedelta

from local.demo.act import MINUTE, DemoAct, newest_serving_revision_at
from local.demo.acts.headings import Heading
from local.demo.staging import faults, irrelevant_messages, operators, releases
from shared.core import topics
from shared.core.text import count_noun
from shared.domain.deployments.deployment import Deployment, Inventory
from shared.domain.deployments.inventory.traffic import Traffic, TrafficTarget
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.signals.alert import Alert
from shared.domain.signals.labels import status_label

STABLE, BAD = "r1", "r2"
FAILURE_RATE = 0.8
TAG = "fh-preview"
SHOW_EVERY = timedelta(seconds=10)
TAGGED_FUNCTION_COUNT = 3
"""So many functions get a tag, as a preview of Firebase Hosting gives them."""


class BadReleaseAct(DemoAct):
    """Sets the stage, and breaks the system on it."""

    def prepare(self) -> Deployment:
        """The stable deployment, as it is recorded; the system has drilled and may act."""
        stage, policy = self._stage, self._stage.policy
        inventory = self._evidence.inventory()
        self._screen.act(Heading.SOUND)
        functions, groups = count_noun(len(inventory), "function"), count_noun(len(policy.groups), "group")
        self._screen.say(f"{policy.display_name or policy.system}: {functions} in {groups}", stage.now())
        self._tag(inventory)
        stable = self._announce(STABLE, stable=True)
        operators.publish_command(stage, self._said("drill", reason="test before automatic rollback"))
        stage.wait_for("the drill", self._evidence.drills)
        operators.publish_command(stage, self._said("promote", mode="act", reason="the drill passed"))
        stage.wait_for("the promotion", self._may_act)
        if self._scene.lost.images:
            everything = set(stable.functions)
            stage.wait_for("the source copies", lambda: self._evidence.buildable(stable.id) >= everything)
        for command in sorted(self._evidence.commands(), key=lambda one: one.received_at):
            self._screen.say(f"{command.actor}: {command.result} ({command.reason})", stage.now())
        self._scene.show_application()
        stage.wait_for("the first status page", self._evidence.page)
        probed_until = stage.now() + MINUTE
        stage.wait_for("a minute of probes", lambda: stage.now() >= probed_until)
        self._screen.say(f"status page: {self._evidence.page_address}", stage.now(), "bold")
        self._screen.say(f"console:     {stage.console}", stage.now(), "bold")
        self._screen.say(f"    {operators.SIGN_IN_HINT}")
        return stable

    def deploy_bad_release(self, stable: Deployment) -> tuple[Inventory, datetime]:
        """The bad release, and what makes the way back hard.

        The functions that are live with it, and since when it is there.
        """
        self._screen.act(Heading.BAD_RELEASE)
        struck_at = self._stage.now()
        match self._scene.scenario:
            case ScenarioName.COMPLETE:
                version = releases.release_site(self._stage)
                releases.publish_template(self._stage)
                said = f"{BAD} releases site version {version} and another Remote Config template"
            case ScenarioName.FEATURE:
                releases.publish_template(self._stage)
                said = f"{BAD} publishes another Remote Config template with a feature to roll back"
            case ScenarioName.AUTH:
                releases.disable_email_sign_in(self._stage)
                said = f"{BAD} disables sign-in by e-mail"
            case _:
                self._stage.deploy(BAD, FAILURE_RATE)
                said = f"{BAD} is deployed to every function"
                struck_at = newest_serving_revision_at(self._evidence.inventory())
        self._screen.say(said, struck_at)
        inventory = self._evidence.inventory()
        missing = self._scene.lost
        faults.inject_fault(self._stage, missing, stable)
        for line in missing.told:
            self._screen.say(line, self._stage.now(), "red")
        self._announce(BAD, stable=False)
        return inventory, struck_at

    def first_alert(self) -> Alert:
        """Return the first alert, of a probe or of Cloud Monitoring, once it has an incident.

        What the application answers meanwhile is shown every `SHOW_EVERY` of the cloud's time.
        """
        shown_at = self._stage.now()

        def look() -> Alert | None:
            nonlocal shown_at
            alert = next((one for one in self._evidence.alerts() if one.incident), None)
            if alert is None and self._stage.now() >= shown_at + SHOW_EVERY:
                shown_at = self._stage.now()
                self._scene.show_application()
            return alert

        with self._screen.waiting("waiting for an alert of a probe or of Cloud Monitoring"):
            return self._stage.wait_for("the first alert", look)

    def first_page(self, incident: str) -> datetime:
        """When the first status page that names the incident was written."""
        with self._screen.waiting("waiting for the status page, which is written every 30 seconds"):
            return self._stage.wait_for("the status page", lambda: self._evidence.published_at(incident))

    def notification(self) -> Alert:
        """The first alert that Cloud Monitoring sent, once an incident attends to it."""

        def look() -> Alert | None:
            sent = (one for one in self._evidence.alerts() if not irrelevant_messages.is_probe_alert(one))
            return next((one for one in sent if one.incident), None)

        with self._screen.waiting("waiting for Cloud Monitoring: its metrics are minutes late"):
            return self._stage.wait_for("a notification of Cloud Monitoring", look)

    def _tag(self, inventory: Inventory) -> None:
        """Give some revisions an address of their own, which no rollback may take away."""
        platform = self._stage.wiring.system(self._stage.policy.system).platform
        chosen = sorted(inventory)[:TAGGED_FUNCTION_COUNT]
        for name in chosen:
            service = inventory[name].service
            tagged: Traffic = (*service.traffic, TrafficTarget(service.latest_ready, 0, TAG))
            platform.shift(service.name, tagged, service.etag)
        self._stage.wait_for("the tags", lambda: self._tagged() == set(chosen))
        self._screen.say(f"tagged {TAG}: {', '.join(chosen)}", self._stage.now())

    def _tagged(self) -> set[str]:
        return {
            name
            for name, live in self._evidence.inventory().items()
            if not live.service.reconciling and any(entry.tag == TAG for entry in live.service.serving)
        }

    def _announce(self, release: str, *, stable: bool) -> Deployment:
        """Tell of a deployment, as CI does; it, as recorded."""
        said = {"version": 1, "system": self._stage.policy.system, "deployment": release, "stable": stable}
        self._stage.publish(topics.DEPLOYMENTS, {**said, "git_hash": f"demo-{release}"})
        recorded = self._stage.wait_for(
            f"the record of {release}", lambda: self._evidence.deployment(release)
        )
        functions = count_noun(len(recorded.functions), "function")
        text = f"{recorded.id} is recorded as {status_label(recorded.status)}, {functions}"
        self._screen.say(text, self._stage.now())
        return recorded

    def _said(self, verb: str, **content: str) -> dict[str, object]:
        return {"version": 1, "command": verb, "system": self._stage.policy.system, **content}

    def _may_act(self) -> bool:
        system = self._evidence.system()
        return system is not None and system.mode is Mode.ACT
