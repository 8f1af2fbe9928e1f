"""`python -m tests.standins.drchrono`: the stand-in as a process; prints `ready URL` when it accepts."""

import argparse

from tests.standins.drchrono.app import OTHERS, create_app
from tests.standins.serve import main_server

parser = argparse.ArgumentParser(prog="python -m tests.standins.drchrono", description=__doc__)
parser.add_argument("--port", type=int, default=0, help="0: any free one")
parser.add_argument("--client-id", default="standin-client")
parser.add_argument("--client-secret", default="standin-secret")
parser.add_argument("--redirect-uri", action="append", default=[], help="may be repeated; none: any on loopback")
parser.add_argument("--other", action="append", default=[], metavar="ID:SECRET", help="a further API application")
parser.add_argument("--calls-per-hour", type=int, default=500, help="0: no quota")

if __name__ == "__main__":
    args = parser.parse_args()
    others = dict(one.split(":", 1) for one in args.other) or OTHERS
    app = create_app(args.client_id, args.client_secret, args.redirect_uri, others, calls_per_hour=args.calls_per_hour)
    main_server(app, args.port)
