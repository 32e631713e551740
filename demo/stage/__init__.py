# SPDX-License-Identifier: Apache-2.0
"""The demo's stage: what `make run` starts, proves and stops."""
