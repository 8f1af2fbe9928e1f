"""`chronobridge salesforce …`: put what the service needs into the org, take it out, and see what is there.

What a command needs is imported when it runs, as everywhere at the command line: the others start without it.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(
    help="Put what the service needs into the Salesforce org.", no_args_is_help=True, pretty_exceptions_enable=False
)

_Mapping = Annotated[
    Path | None,
    typer.Option(help="a mapping file, or default, person-accounts, wide; unset: MAPPING_FILE", metavar="FILE"),
]


@commands.command()
def package(
    out: Annotated[Path, typer.Option(help="a new folder, or one that holds such a package", metavar="FOLDER")],
    mapping: _Mapping = None,
) -> None:
    """Write the package of a mapping as source, for `sf project deploy start`."""
    from app.settings import env_file
    from app.sync.mappings import file
    from app.vendors.salesforce.metadata.source import source_files, write

    os.umask(0o022)  # nothing of it is secret, and it is read by others: an image, a repository
    files = source_files(file.load(mapping or env_file.load().mapping_file))
    write(files, out)
    print(f"{len(files)} files in {out}")
