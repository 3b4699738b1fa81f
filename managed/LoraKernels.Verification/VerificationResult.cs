namespace LoraKernels.Verification;

/// <summary>What a case came to.</summary>
/// <param name="Op">Name of the op, as in the C ABI.</param>
/// <param name="Device">Name of the device.</param>
/// <param name="Isa">The instruction path that ran: "reference", "portable", "sm_90", ...</param>
/// <param name="DType">float32, float16, bfloat16, or none.</param>
/// <param name="Format">nf4, nf4-nested, q4_0, or none.</param>
/// <param name="Shape">The shape and what else sets the case apart.</param>
/// <param name="Error">As <see cref="VerificationError"/> measures it; never NaN or infinite.</param>
/// <param name="Limit">The largest error that passes; 0: bit for bit.</param>
/// <param name="Ok">Whether the case passed.</param>
/// <param name="Message">Why it did not, where the error does not say it all.</param>
public sealed record VerificationResult(
    string Op, string Device, string Isa, string DType, string Format, string Shape, double Error, double Limit,
    bool Ok, string? Message = null);
