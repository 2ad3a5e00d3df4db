"""Xen's new vGIC, xen/arch/arm/vgic/ since 2018 (CONFIG_NEW_VGIC), as of RELEASE-4.11.0 and today.

Adapted there from Linux's KVM.  One file here for each thing it does; the
protocols ``new_vgic`` and ``new_head`` put them in the place of the old vGIC.
"""
