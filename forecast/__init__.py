"""What may happen, how likely, how sure: questions, risk sets, models, forecasts.

Nothing heavy is imported until a name is used (PEP 562).
"""

__version__ = "0.1.0"
