"""The sandbox operator, asking Pro Santé Connect whose token it is shown: `USERINFO`, then the operator's arguments.

Whose mailbox it is stands in its accounts as `national`.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request

from colloque_demo import operator
from colloque_demo.operator_store import Accounts

USERINFO = sys.argv[1]


class PscAccounts(Accounts):
    def admits(self, address: str, *, kind: str, secret: str) -> bool:
        if kind != "token":
            return super().admits(address, kind=kind, secret=secret)
        self.read()
        holder = self._accounts.get(address.lower(), {}).get("national", "")
        return bool(holder) and whose(secret) == holder


def whose(token: str) -> str:
    """The national number; empty for a token that is worth nothing."""
    asked = urllib.request.Request(USERINFO, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return str(json.load(answer)["SubjectNameID"])
    except urllib.error.HTTPError:
        return ""


if __name__ == "__main__":
    operator.Accounts = PscAccounts
    sys.exit(operator.main(sys.argv[2:]))
