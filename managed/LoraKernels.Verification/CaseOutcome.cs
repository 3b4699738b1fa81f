namespace LoraKernels.Verification;

/// <summary>A case's error, and what else was wrong.</summary>
internal readonly record struct CaseOutcome(double Error, string? Message = null);
