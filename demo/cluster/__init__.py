# SPDX-License-Identifier: Apache-2.0
"""The site on two machines that are network namespaces of this one."""
