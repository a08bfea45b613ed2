package law

// MomentsGPD is where the fit of a generalised Pareto distribution starts, on a sorted sample.
var MomentsGPD = momentsGPD
