"""How sure a score, or a difference of two, is: from sums over forecasts to bounds, by a method that is chosen by name.

Resampling (`circular`, `moving`, `stationary`, `cluster`) judges any function of means. Without it (`independent`,
`lag1`, `ar2`, `cosines`) a Student interval is put around the estimate: the function is taken to be as good as straight
over what one forecast changes, as pseudo-values say.
"""
