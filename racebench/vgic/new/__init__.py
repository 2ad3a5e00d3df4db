"""Xen's new vGIC, xen/arch/arm/vgic/ since 2018 (CONFIG_NEW_VGIC), as of RELEASE-4.11.0.

Adapted there from Linux's KVM.  One file here for each thing it does; the
protocol ``new_vgic`` puts them in the place of the vGIC of 2017.
"""
