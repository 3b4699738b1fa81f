namespace LoraKernels;

/// <summary>How a device computes <c>x · Wᵀ</c>. The values are those of <c>lk_compute</c>.</summary>
public enum ComputeMode
{
    /// <summary>
    /// fp32 sums of the products of x and the exactly dequantized weights, whatever the types of x and y: ‖error‖ is at
    /// most 1e-5 (y in fp32), 1e-3 (fp16) or 8e-3 (bf16) of ‖result‖.
    /// </summary>
    Precise = 0,

    /// <summary>
    /// CPU only: x is rounded to 8 bits, with a scale for each row and group of weights, and so are the 16 values of NF4
    /// and FP4. ‖error‖ is at most 1e-2 of ‖result‖. Adapters are computed as ever, and everything is precise on the
    /// reference and portable paths, which would gain nothing.
    /// </summary>
    Int8Activations = 1,
}
