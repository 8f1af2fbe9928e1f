"""The settings of the service itself and of the people who sign in; `fields.py` adds the vendors' and the work's.

They stand first in the env file, in this order.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.log import LogFormat
from app.settings.types import (
    ACCOUNT,
    KEY,
    PEOPLE,
    SERVICE,
    STAFF,
    TOKEN,
    Accounts,
    Claims,
    DatabaseUrl,
    HostNames,
    Issuer,
    Key,
    LocaleName,
    NeededKeys,
    Networks,
    OrNone,
    RedisUrl,
    Scopes,
    StaffRoles,
    Token,
    WebUrl,
    ZoneName,
)


class ServiceSettings(BaseSettings):
    """What the environment, or a `.env` beside it, says of the service itself."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    database_url: Annotated[DatabaseUrl, SERVICE] = Field(
        "sqlite+aiosqlite:///var/chronobridge.db",
        repr=False,
        description="sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER:PASSWORD@HOST/NAME\n"
        "A PostgreSQL on another host must prove its name, unless sslmode asks for less; see deploy/docs/database.md.\n"
        "SQLite serves one machine; that file holds everything. The compose file sets this itself.",
        examples=["sqlite+aiosqlite:///var/chronobridge.db"],
    )
    redis_url: Annotated[OrNone[RedisUrl], SERVICE] = Field(
        None,
        repr=False,
        description="the address of a Redis or Valkey\n"
        "redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss:// by TLS, unix:///PATH?db=DB, or with sentinels\n"
        "redis+sentinel://[USER:PASSWORD@]HOST:26379,HOST:26379/SERVICE[/DB] (rediss+sentinel:// by TLS).\n"
        "Write a password percent-encoded. By TLS the host name is verified, by CA_BUNDLE too.\n"
        "Unset: `up` starts one of its own; `serve` and `work` find changes every 2 s instead of at once.",
        examples=["redis://127.0.0.1:6379/0"],
    )
    public_url: Annotated[WebUrl, SERVICE] = Field(
        description="the https address the vendors reach this service at", examples=["https://sync.example.com"]
    )
    host: Annotated[str, SERVICE] = Field("127.0.0.1", description="the address to listen on", examples=["127.0.0.1"])
    port: Annotated[int, SERVICE] = Field(8000, ge=1, le=65535, description="a port number", examples=["8000"])
    allowed_hosts: Annotated[HostNames, SERVICE] = Field(
        (), description="a comma list of further names a proxy asks for this service by", examples=["web,sync.internal"]
    )
    trusted_proxies: Annotated[Networks, SERVICE] = Field(
        (),
        description="a comma list of IP addresses or networks of proxies whose X-Forwarded-For counts",
        examples=["10.0.0.7,10.1.0.0/16"],
    )
    encryption_keys: Annotated[NeededKeys, SERVICE, KEY] = Field(
        description="a comma list of url-safe base64 keys of 32 bytes, newest first\n"
        "What lies in the database is sealed with the first. To change it, put a new one in front, restart and run\n"
        "`chronobridge rotate-keys`: it says when the older ones can go.",
    )
    hash_keys: Annotated[NeededKeys, SERVICE, KEY] = Field(
        description="a comma list of url-safe base64 keys of 32 bytes, newest first\n"
        "Not the same as above: these stamp what both sides agreed on.\n"
        "Without them, fields that differ follow their owner.",
    )
    session_key: Annotated[OrNone[Key], SERVICE, KEY] = Field(
        None, description="a url-safe base64 key of 32 bytes; signs people's sessions\nUnset: from ENCRYPTION_KEYS."
    )
    operator_token: Annotated[Token, SERVICE, TOKEN] = Field(
        description="a secret of at least 16 characters\n"
        "For scripts: whoever holds it may see and do everything, under the name operator. People have OPERATORS.",
    )
    viewer_token: Annotated[OrNone[Token], SERVICE, TOKEN] = Field(
        None, description="a secret of at least 16 characters\nFor scripts that read only, under the name viewer."
    )
    operators: Annotated[Accounts, SERVICE, ACCOUNT] = Field(
        (),
        description="a comma list of name:secret, with secrets of at least 32 characters\n"
        "People who may see and do everything, each by a name that the audit notes. In place of a secret its hash may\n"
        "stand, which `chronobridge hash-secret` makes; in single quotes, because of its dollar signs.",
    )
    viewers: Annotated[Accounts, SERVICE, ACCOUNT] = Field(
        (),
        description="a comma list of name:secret, with secrets of at least 32 characters\nPeople who read only.",
    )
    clinic_zone: Annotated[OrNone[ZoneName], SERVICE] = Field(
        None,
        description="the clinic's time zone, by its IANA name\n"
        "Pages show every time by its clock, and a day begins and ends by it. Unset: the zone of OFFICE_HOURS.",
        examples=["America/New_York"],
    )
    clinic_locale: Annotated[LocaleName, SERVICE] = Field(
        "en_US",
        description="a locale: how pages write dates and times of day, such as en_US (10:27 AM) or en_GB (10:27)",
        examples=["en_US"],
    )
    mapping_file: Annotated[OrNone[Path], SERVICE] = Field(
        None,
        description="a mapping file's path, or one that comes along: default, person-accounts, wide\nUnset: default.",
        examples=["/etc/chronobridge/mapping.toml"],
    )
    ca_bundle: Annotated[OrNone[Path], SERVICE] = Field(
        None, description="the path of a PEM file with extra trusted roots", examples=["/etc/ssl/clinic-roots.pem"]
    )
    log_format: Annotated[LogFormat, SERVICE] = Field(
        LogFormat.AUTO,
        description="auto, json or text: how log lines are written\nauto: as text on a terminal, else as JSON.",
        examples=["auto"],
    )

    oidc_issuer: Annotated[OrNone[Issuer], PEOPLE] = Field(
        None,
        description="the https address of the issuer, as its tokens name it\n"
        "Register PUBLIC_URL/login/oidc/callback there as redirect address.",
        examples=["https://id.example.com"],
    )
    oidc_client_id: Annotated[OrNone[str], PEOPLE] = Field(
        None, description="the client id of this service at the issuer", examples=["chronobridge"]
    )
    oidc_client_secret: Annotated[OrNone[SecretStr], PEOPLE] = Field(
        None, description="the client secret of this service at the issuer", examples=["8F2…"]
    )
    oidc_operator_claim: Annotated[Claims, PEOPLE] = Field(
        (),
        description="a comma list of claim=value; one of them makes an operator\n"
        "A claim inside of another is written with a dot: realm_access.roles=front-desk.",
        examples=["groups=front-desk"],
    )
    oidc_viewer_claim: Annotated[Claims, PEOPLE] = Field(
        (), description="a comma list of claim=value; one of them makes a viewer", examples=["groups=billing"]
    )
    oidc_name_claim: Annotated[str, PEOPLE] = Field(
        "email",
        min_length=1,
        description="the claim that is a person's name in the audit: email or preferred_username",
        examples=["email"],
    )
    oidc_scopes: Annotated[Scopes, PEOPLE] = Field(
        "openid email profile",
        description="the scopes that are asked for, with blanks between\nSome issuers send groups only for one more.",
        examples=["openid email profile"],
    )

    drchrono_sign_in_client_id: Annotated[OrNone[str], STAFF] = Field(
        None,
        description="the client id of a second API application, which nothing but signing in uses\n"
        "With the application above each sign-in of its user would end the practice's connection. Register\n"
        "PUBLIC_URL/login/drchrono/callback there as redirect address.",
        examples=["Qp7…"],
    )
    drchrono_sign_in_client_secret: Annotated[OrNone[SecretStr], STAFF] = Field(
        None, description="the client secret of that second application", examples=["v2m…"]
    )
    drchrono_roles: Annotated[StaffRoles, STAFF] = Field(
        default_factory=dict,
        description="a comma list of doctor=ROLE, staff=ROLE and USER_NAME=ROLE, where ROLE is viewer or operator\n"
        "Who of the connected practice may sign in, and as what; a user name goes before doctor and staff. Nobody\n"
        "else may.",
        examples=["doctor=viewer,staff=operator"],
    )
