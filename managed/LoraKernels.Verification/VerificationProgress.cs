namespace LoraKernels.Verification;

/// <summary>How far a run is.</summary>
/// <param name="Done">Cases that are done.</param>
/// <param name="Total">Cases in the run.</param>
/// <param name="Last">The latest result.</param>
public readonly record struct VerificationProgress(int Done, int Total, VerificationResult Last);
