"""`python -m tests.standins.salesforce`: one org over TLS, until SIGTERM or SIGINT.

The CA file is in place before `ready https://127.0.0.1:PORT` is printed.
"""

import argparse
from pathlib import Path

from tests.standins.salesforce.app import create_app
from tests.standins.salesforce.metadata.components import Catalog
from tests.standins.salesforce.metadata.shipped import PROJECT, deployed_from
from tests.standins.salesforce.org import Credentials
from tests.standins.salesforce.tls import throwaway
from tests.standins.serve import main_server


def main() -> None:
    plain = Credentials()
    parser = argparse.ArgumentParser(prog="python -m tests.standins.salesforce", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--ca-file", required=True, type=Path, help="where to write the throw-away CA")
    parser.add_argument("--client-id", default=plain.client_id)
    parser.add_argument("--client-secret", default=plain.client_secret)
    parser.add_argument("--org-id", default=plain.org_id)
    parser.add_argument("--username", default=plain.username, help="the JWT bearer flow's user")
    parser.add_argument("--public-key-file", type=Path, help="PEM; switches the JWT bearer flow on")
    parser.add_argument("--latency-s", type=float, default=0.0, help="wait before each answer of the REST API")
    parser.add_argument("--package", type=Path, default=PROJECT, help="the project that is deployed to it")
    parser.add_argument("--empty", action="store_true", help="nothing is deployed to it")
    asked = parser.parse_args()
    credentials = Credentials(
        client_id=asked.client_id,
        client_secret=asked.client_secret,
        org_id=asked.org_id,
        username=asked.username,
        public_key=asked.public_key_file.read_text() if asked.public_key_file else None,
    )
    package = Catalog() if asked.empty else deployed_from(asked.package, credentials.username)
    app = create_app(credentials=credentials, latency_s=asked.latency_s, package=package)
    with throwaway(asked.ca_file) as files:
        main_server(app, asked.port, ssl_certfile=files.certificate, ssl_keyfile=files.key)


if __name__ == "__main__":
    main()
