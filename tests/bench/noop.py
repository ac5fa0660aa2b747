"""A Synapse module that does nothing: the peer of what ours costs."""

NOOP = """
class Noop:
    def __init__(self, config, api):
        api.register_third_party_rules_callbacks(check_event_allowed=self.check)

    async def check(self, event, state):
        return True, None

    @staticmethod
    def parse_config(config):
        return config
"""
