"""The X-ray: what the host's kernel knows about a sandbox, as one document of facts.

``collect(box, parts)`` gathers the facts of one machine in the vocabulary of ``runtime_agent.facts``;
``collect_session`` those of every machine of a session. Facts are read from outside, so nothing that a student runs,
fakes or breaks inside changes them. Everything read is hostile all the same: names are cleaned and cut, lists are
bounded, pids are read through a descriptor of their folder so that none can be reused half way, and no path of the
host and no command line of a host's process gets into a document. This package only reads.
"""

from runtime_agent.xray.collector import PARTS, collect, collect_session

__all__ = ["PARTS", "collect", "collect_session"]
