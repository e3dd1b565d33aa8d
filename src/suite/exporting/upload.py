"""Upload of an exported folder to the hub, with the login that the user has."""

import re
from collections.abc import Sequence
from pathlib import Path

from suite.errors import UserError
from suite.run.exported import NAME_ON_HUB, asked
from suite.run.extras import need


def check_push(push: str, overwrite: bool) -> str:
    """The name on the hub, owner/name. Raises UserError for another, and where nothing could be uploaded from here.

    overwrite: there may be such a model already.
    """
    name = push.removeprefix("hf://")
    if not re.fullmatch(NAME_ON_HUB, name):
        raise UserError(f"push={push}: say push=owner/name")
    need("huggingface_hub", "hub", f"push={push}")
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise UserError(f"push={push}: you are not logged in: run `hf auth login`, or set HF_TOKEN")
    if asked(f"push={name}", lambda: HfApi().repo_exists(name), "can't be done") and not overwrite:
        raise UserError(f"push={name} is already there: name another, or set overwrite=true")
    return name


def upload(folder: Path, names: Sequence[str], name: str, private: bool) -> str:
    """Upload those files of the folder, as one commit. Where they are now. Raises UserError.

    private: whether a model that is not there yet becomes so; of one that is there other files stay.
    """
    from huggingface_hub import HfApi

    hub = HfApi()

    def send() -> str:
        place = hub.create_repo(name, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=name, folder_path=folder, allow_patterns=list(names), commit_message="Weights, settings and card"
        )
        return str(place)

    return asked(f"push={name}", send, f"failed, and {folder} is written (overwrite=true does both again)")
