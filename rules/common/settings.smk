"""The settings of the call, checked."""

import os

from scripts import settings
from scripts.closure import ROOT as HOME  # the folder of the Snakefile

SCHEMA = workflow.source_path("../schemas/config.schema.yaml")


@exit_on_user_error
def holds_settings(path):
    """Whether a file holds settings, none of them wrong; Snakemake cannot read an empty one."""
    return os.path.lexists(path) and bool(settings.read(path, SCHEMA))


if not CONFIGURED and holds_settings("config.yaml"):

    configfile: "config.yaml"


@exit_on_user_error
def check_config():
    """Fills in what the call's settings leave out, and ends it if anything is wrong with them."""
    schema = settings.load_schema(SCHEMA)
    config.update(settings.read_numbers(settings.fit(config), schema))
    settings.check(config, SCHEMA, "config")
    config.update(settings.filled(config, schema))


check_config()
