"""torch.utils.backend_registration: the name of a device of third parties, which copies of attention compare with."""

_privateuse1_backend_name = "privateuseone"
