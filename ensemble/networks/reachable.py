"""Whether a host answers at all, decided within a deadline."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request

DEADLINE_S = 2.0


def answers(url: str, *, deadline_s: float = DEADLINE_S) -> bool:
    """Whether any HTTP answer, even a refusal, comes from `url` in time.

    Looking up a name can block for longer than any socket's timeout, so the question is asked in
    a thread that is abandoned at the deadline. Proxies named in the environment are used.

    Args:
        url: An http or https address.
        deadline_s: Seconds to wait at most.
    """
    heard = threading.Event()
    asking = threading.Thread(target=_ask, args=(url, deadline_s, heard), daemon=True)
    asking.start()
    asking.join(deadline_s)
    return heard.is_set()


def _ask(url: str, deadline_s: float, heard: threading.Event) -> None:
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=deadline_s):
            heard.set()
    except urllib.error.HTTPError:
        heard.set()
    except OSError:
        return
