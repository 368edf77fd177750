"""What an operator may set, from the environment: where the stores lie and what the services speak over."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from services.chassis.bus.kafka import Cluster
from services.chassis.maps import server_of
from services.chassis.messages.quiet import QUIET_HOURS

_KAFKA = re.compile(r"kafka:[^\s:,]+:\d+(,[^\s:,]+:\d+)*")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])[:/]")
_SMTP = re.compile(r"smtps?://([^\s@/]+@)?[^\s@/:]+(:\d+)?/?")


class BadSetting(Exception):
    """A setting that cannot be used; the text names it and says what would do."""


@dataclass(frozen=True)
class Settings:
    """`from_env` reads them; `docs/reference/settings.md` lists them."""

    data: Path = Path(".fieldloop")
    """FIELDLOOP_DATA: stores, keys, photos; of the SQLite stores all there is."""
    bus: str = "embedded"
    """FIELDLOOP_BUS: `embedded`, or `kafka:HOST:PORT[,HOST:PORT…]`."""
    store: str = "sqlite"
    """FIELDLOOP_STORE: `sqlite`, or `postgresql://USER@HOST:PORT/DATABASE`."""
    host: str = "127.0.0.1"
    """FIELDLOOP_HOST: the address to listen on."""
    port: int = 8080
    """FIELDLOOP_PORT."""
    replication: int = 1
    """FIELDLOOP_REPLICATION: copies that Kafka keeps of each record; 3 wherever data matters."""
    gateway: str = ""
    """FIELDLOOP_GATEWAY: where a service that runs by itself finds the gateway and the keys of persons."""
    replicas: str = ""
    """FIELDLOOP_REPLICAS: where a gateway finds the services, `intake=URL,URL;dispatcher=URL;…`."""

    checkpoints: str = ""
    """FIELDLOOP_CHECKPOINTS: where hashes and signed checkpoints of the journals are kept; if left out, `checkpoints`
    in the data folder. Another disk, or one that is written once, keeps them from whoever changes the stores."""
    geocoder: str = ""
    """
    FIELDLOOP_GEOCODER: the search of a Nominatim, `https://maps.example.cn/search`, which locates addresses; without
    it a request lies where its customer or site is registered.
    """
    map: str = ""
    """
    FIELDLOOP_MAP: a map with roads that tells how long ways take, `osrm:http://HOST:5000`, `valhalla:http://HOST:8002`
    or `amap:https://restapi.amap.com`; without it, and while it does not answer, ways are estimated.
    """
    map_key: str = ""
    """FIELDLOOP_MAP_KEY: the key of the web service of AMap."""
    mail: str = ""
    """FIELDLOOP_MAIL: the server for e-mail to customers, `smtp[s]://[USER:PASSWORD@]HOST:PORT`; without it, none."""
    mail_from: str = ""
    """FIELDLOOP_MAIL_FROM: the sender of these mails, `service@example.com`."""
    text: str = ""
    """FIELDLOOP_TEXT: the gateway that takes text messages to customers, by HTTP POST; without it none is sent."""
    wechat: str = ""
    """FIELDLOOP_WECHAT: the same for messages to customers' WeChat."""
    webhook_secret: str = ""
    """FIELDLOOP_WEBHOOK_SECRET: what is sent to these gateways is signed under it; 16 characters or more."""
    quiet_hours: str = ""
    """
    FIELDLOOP_QUIET_HOURS: when nobody is sent a message that can wait, `22:00-08:00` in the tenant's zone, unless they
    have quiet hours of their own; without it, messages go at any time.
    """
    public_url: str = ""
    """FIELDLOOP_PUBLIC_URL: where customers reach the gateway; links in messages begin with it."""

    portal: str = ""
    """FIELDLOOP_PORTAL: the tenant to whom strangers may submit requests on the customers' page; without it, nobody."""

    oidc_issuer: str = ""
    """FIELDLOOP_OIDC_ISSUER: the OpenID Connect provider with whose accounts one signs in, as it writes itself."""
    oidc_client_id: str = ""
    """FIELDLOOP_OIDC_CLIENT_ID: what the provider knows us by; it sends back to `FIELDLOOP_PUBLIC_URL/`."""
    oidc_client_secret: str = ""
    """FIELDLOOP_OIDC_CLIENT_SECRET: of a confidential client; without it we are a public one."""
    oidc_roles: str = ""
    """
    FIELDLOOP_OIDC_ROLES: who of the provider's users is what here, `CLAIM=VALUE>TENANT/ROLE;…`; the first that fits
    counts, and whom none fits does not come in. `realm_access.roles=desk>acme/agent` looks into an object.
    """
    oidc_person_claim: str = "person_id"
    """FIELDLOOP_OIDC_PERSON_CLAIM: the claim that has the id here of an engineer, customer or partner."""

    url: str = ""
    """FIELDLOOP_URL: the gateway of a running system, for commands that ask it instead of running the services."""

    @classmethod
    def from_env(
        cls, given: Mapping[str, object] = MappingProxyType({}), env: Mapping[str, str] = os.environ
    ) -> Settings:
        """The environment's, each replaced by what is given and not None. Raises BadSetting."""
        found: dict[str, object] = {
            name: env[f"FIELDLOOP_{name.upper()}"]
            for name in cls.__annotations__
            if env.get(f"FIELDLOOP_{name.upper()}")
        }
        found |= {name: value for name, value in given.items() if value is not None}
        for name in ("port", "replication"):
            if name in found:
                found[name] = _number(name, str(found[name]))
        settings = cls(**found | {"data": Path(str(found.get("data", cls.data)))})  # type: ignore[arg-type]
        settings._judge()
        return settings

    def _judge(self) -> None:
        if self.bus != "embedded" and not _KAFKA.fullmatch(self.bus):
            raise BadSetting(f"FIELDLOOP_BUS is {self.bus!r}: give `embedded` or `kafka:HOST:PORT`")
        if self.store != "sqlite" and not self.store.startswith("postgresql://"):
            raise BadSetting(f"FIELDLOOP_STORE is {self.store!r}: give `sqlite` or `postgresql://USER@HOST/DATABASE`")
        if not 0 <= self.port <= 65_535:
            raise BadSetting(f"FIELDLOOP_PORT is {self.port}: give a port, 1 to 65535, or 0 for any that is free")
        if self.replication < 1:
            raise BadSetting(f"FIELDLOOP_REPLICATION is {self.replication}: give 1 or more")
        if self.geocoder and not self.geocoder.startswith(("http://", "https://")):
            raise BadSetting(
                f"FIELDLOOP_GEOCODER is {self.geocoder!r}: give an address, as https://maps.example.cn/search"
            )
        if self.map:
            try:
                server_of(self.map, self.map_key)
            except ValueError as wrong:
                raise BadSetting(f"FIELDLOOP_MAP is {self.map!r}: {wrong}") from None
        for name, url in {"FIELDLOOP_URL": self.url, "FIELDLOOP_GATEWAY": self.gateway}.items():
            if url and not url.startswith(("http://", "https://")):
                raise BadSetting(f"{name} is {url!r}: give the address of a gateway, as http://127.0.0.1:8080")
        self._judge_messages()
        self._judge_oidc()

    def _judge_messages(self) -> None:
        if self.mail and not _SMTP.fullmatch(self.mail):
            raise BadSetting(
                "FIELDLOOP_MAIL is no address of a mail server: give `smtp[s]://[USER:PASSWORD@]HOST:PORT`"
            )
        if self.mail and "@" not in self.mail_from:
            raise BadSetting(f"FIELDLOOP_MAIL_FROM is {self.mail_from!r}: give the sender of the mails, with its @")
        for name, url in {"FIELDLOOP_TEXT": self.text, "FIELDLOOP_WECHAT": self.wechat}.items():
            if url and not url.startswith(("http://", "https://")):
                raise BadSetting(f"{name} is {url!r}: give the address of a gateway that takes messages by HTTP")
        if self.quiet_hours and not re.fullmatch(QUIET_HOURS, self.quiet_hours):
            raise BadSetting(f"FIELDLOOP_QUIET_HOURS is {self.quiet_hours!r}: give two times of the day, `22:00-08:00`")
        if (self.text or self.wechat) and len(self.webhook_secret) < 16:
            raise BadSetting("FIELDLOOP_WEBHOOK_SECRET is missing or short: give 16 characters or more")
        sends = self.mail or self.text or self.wechat
        if sends and not self.public_url.startswith(("http://", "https://")):
            raise BadSetting(f"FIELDLOOP_PUBLIC_URL is {self.public_url!r}: give what links in messages begin with")

    def _judge_oidc(self) -> None:
        if not self.oidc_issuer:
            return
        if not self.oidc_issuer.startswith("https://") and not _LOOPBACK.match(self.oidc_issuer):
            raise BadSetting(f"FIELDLOOP_OIDC_ISSUER is {self.oidc_issuer!r}: give an address with https://")
        if not self.oidc_client_id or not self.public_url:
            raise BadSetting(
                "FIELDLOOP_OIDC_ISSUER is set: give FIELDLOOP_OIDC_CLIENT_ID too, and FIELDLOOP_PUBLIC_URL, "
                "to which the provider sends back"
            )
        if not self.oidc_roles:
            raise BadSetting("FIELDLOOP_OIDC_ROLES is missing: give `CLAIM=VALUE>TENANT/ROLE`; else nobody comes in")

    @property
    def cluster(self) -> Cluster | None:
        """The Kafka to use; None for the embedded bus."""
        if self.bus == "embedded":
            return None
        return Cluster.named(self.bus.removeprefix("kafka:"), self.replication)

    @property
    def addresses(self) -> dict[str, list[str]]:
        """The processes of each service that a gateway leads to. Raises BadSetting."""
        found: dict[str, list[str]] = {}
        for part in filter(None, self.replicas.split(";")):
            name, equals, urls = part.partition("=")
            if not equals or not urls:
                raise BadSetting(f"FIELDLOOP_REPLICAS has {part!r}: give `SERVICE=URL,URL;SERVICE=URL`")
            found[name.strip()] = [url.strip() for url in urls.split(",")]
        return found

    @property
    def dsn(self) -> str | None:
        """The PostgreSQL database; None for SQLite."""
        return None if self.store == "sqlite" else self.store

    @property
    def checkpoint_folder(self) -> Path:
        return Path(self.checkpoints) if self.checkpoints else self.data / "checkpoints"

    def folder(self, service: str = "") -> Path:
        """Where a service keeps its files, or the data folder itself; made when it is not there. Raises BadSetting."""
        folder = self.data / service
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadSetting(
                f"FIELDLOOP_DATA: {folder} cannot be made ({error.strerror}): choose another with --data DIR"
            ) from None
        return folder


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadSetting(f"FIELDLOOP_{name.upper()} is {text!r}: give a whole number") from None
