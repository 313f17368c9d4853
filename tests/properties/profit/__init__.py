"""The search for profit: coalitions that act freely beside honest households; see docs/threats.md."""
