using LoraKernels.Verification.Reference;

namespace LoraKernels.Verification;

/// <summary>Makes a case's inputs, runs its op on a device, and holds the result against the reference.</summary>
internal sealed partial class CaseRunner<T>(Device device, VerificationCase @case)
    where T : unmanaged
{
    private readonly Random _random = new(@case.Seed);

    public CaseOutcome Run() => @case.Op switch
    {
        VerificationOp.Pack => Pack(),
        VerificationOp.Dequantize => Dequantize(),
        VerificationOp.Quantize => Quantize(),
        VerificationOp.Matmul => Matmul(),
        VerificationOp.MatmulBias => MatmulBias(),
        VerificationOp.LoraShrink => LoraShrink(),
        VerificationOp.LoraExpand => LoraExpand(),
        VerificationOp.LoraApply => LoraApply(),
        _ => Linear(),
    };

    private int Rows => checked((int)@case.Rows);

    private int InFeatures => checked((int)@case.InFeatures);

    private int OutFeatures => checked((int)@case.OutFeatures);

    private CaseOutcome Matmul()
    {
        WeightTensors tensors = WeightSamples.Create(@case, _random);
        T[] x = Samples.Uniform<T>(_random, @case.Rows * @case.InFeatures);
        using QuantizedWeight weight = QuantizedWeight.Pack(device, tensors);
        using GuardedTensor<T> input = Input(x);
        using GuardedTensor<T> output = GuardedTensor<T>.Unwritten(device, Rows, OutFeatures, @case.Strided);
        Kernels.Matmul(input.View, weight, null, output.View);
        return CompareProduct(output, x, tensors, (values, reference) => ReferenceLinear.Matmul(values, Rows, reference));
    }

    private CaseOutcome MatmulBias() => WithBias((bias, values) =>
    {
        WeightTensors tensors = WeightSamples.Create(@case, _random);
        T[] x = Samples.Uniform<T>(_random, @case.Rows * @case.InFeatures);
        using QuantizedWeight weight = QuantizedWeight.Pack(device, tensors);
        using GuardedTensor<T> input = Input(x);
        using GuardedTensor<T> output = GuardedTensor<T>.Unwritten(device, Rows, OutFeatures, @case.Strided);
        Kernels.Matmul(input.View, weight, bias, output.View);
        return CompareProduct(
            output, x, tensors, (doubles, reference) => ReferenceLinear.Matmul(doubles, Rows, reference, values));
    });

    private CaseOutcome Linear() => WithBias((bias, values) =>
    {
        WeightTensors tensors = WeightSamples.Create(@case, _random);
        T[] x = Samples.Uniform<T>(_random, @case.Rows * @case.InFeatures);
        using LoraSample lora = LoraSample.Create(device, @case, _random, tensors);
        using QuantizedWeight weight = QuantizedWeight.Pack(device, tensors);
        using GuardedTensor<T> input = Input(x);
        using GuardedTensor<T> output = GuardedTensor<T>.Unwritten(device, Rows, OutFeatures, @case.Strided);
        var linear = new Linear(weight, lora.Module.Name, bias);
        linear.Forward(input.View, lora.Batch, output.View);
        return CompareProduct(
            output,
            x,
            tensors,
            (doubles, reference) => ReferenceLinear.Linear(doubles, Rows, reference, lora.Entries, values));
    });

    private CaseOutcome LoraShrink()
    {
        T[] x = Samples.Uniform<T>(_random, @case.Rows * @case.InFeatures);
        using LoraSample lora = LoraSample.Create(device, @case, _random);
        // Strided cases also have more columns than the op fills by itself: they become 0.
        int columns = lora.Columns + (@case.Strided ? 3 : 0);
        long needed = Kernels.LoraShrinkColumns(lora.Batch, lora.Module.Name);
        if (needed != lora.Columns)
            return new CaseOutcome(VerificationError.Unbounded, $"{needed} columns, not {lora.Columns}");
        using GuardedTensor<T> input = Input(x);
        using GuardedTensor<float> output =
            GuardedTensor<float>.Unwritten(device, lora.Entries.Count, columns, @case.Strided);
        Kernels.LoraShrink(input.View, lora.Batch, lora.Module.Name, output.View);
        return Compare(output, ReferenceLora.Shrink(Elements.ToDoubles(x), InFeatures, lora.Entries, columns));
    }

    private CaseOutcome LoraExpand()
    {
        T[] y = Samples.Uniform<T>(_random, @case.Rows * @case.OutFeatures);
        using LoraSample lora = LoraSample.Create(device, @case, _random);
        float[] s = Samples.Uniform(_random, (long)lora.Entries.Count * lora.Columns);
        using GuardedTensor<float> input =
            GuardedTensor<float>.Of(device, s, lora.Entries.Count, lora.Columns, @case.Strided);
        using GuardedTensor<T> output = GuardedTensor<T>.Of(device, y, Rows, OutFeatures, @case.Strided);
        Kernels.LoraExpand(input.View, lora.Batch, lora.Module.Name, output.View);
        double[] expected = Elements.ToDoubles(y);
        ReferenceLora.Expand(Elements.ToDoubles(s), lora.Columns, lora.Entries, expected, OutFeatures);
        return Compare(output, expected);
    }

    private CaseOutcome LoraApply()
    {
        T[] x = Samples.Uniform<T>(_random, @case.Rows * @case.InFeatures);
        T[] y = Samples.Uniform<T>(_random, @case.Rows * @case.OutFeatures);
        using LoraSample lora = LoraSample.Create(device, @case, _random);
        using GuardedTensor<T> input = Input(x);
        using GuardedTensor<T> output = GuardedTensor<T>.Of(device, y, Rows, OutFeatures, @case.Strided);
        Kernels.LoraApply(input.View, lora.Batch, lora.Module.Name, output.View);
        double[] expected = Elements.ToDoubles(y);
        ReferenceLora.Apply(Elements.ToDoubles(x), InFeatures, lora.Entries, expected, OutFeatures);
        return Compare(output, expected);
    }

    private GuardedTensor<T> Input(T[] x) => GuardedTensor<T>.Of(device, x, Rows, InFeatures, @case.Strided);

    private CaseOutcome WithBias(Func<DeviceTensor, double[], CaseOutcome> run) => @case.BiasDType switch
    {
        DType.Float32 => WithBias<float>(run),
        DType.Float16 => WithBias<Half>(run),
        _ => WithBias<BFloat16>(run),
    };

    private CaseOutcome WithBias<TBias>(Func<DeviceTensor, double[], CaseOutcome> run)
        where TBias : unmanaged
    {
        TBias[] values = Samples.Uniform<TBias>(_random, @case.OutFeatures);
        using GuardedTensor<TBias> bias = GuardedTensor<TBias>.Of(device, values, 1, OutFeatures, @case.Strided);
        return run(bias.View, Elements.ToDoubles(values));
    }

    private CaseOutcome CompareProduct(
        GuardedTensor<T> output, T[] x, WeightTensors tensors, Func<double[], ReferenceWeight, double[]> product)
    {
        double[] values = Elements.ToDoubles(x);
        ReferenceWeight weight = ReferenceBridge.Weight(tensors);
        double[] expected = product(values, weight);
        return device.Compute == ComputeMode.Int8Activations
            ? Compare(output, actual =>
                VerificationError.OfNorm(actual, expected, ReferenceLinear.TermsNorm(values, Rows, weight)))
            : Compare(output, expected);
    }

    private static CaseOutcome Compare<TOut>(GuardedTensor<TOut> output, double[] expected)
        where TOut : unmanaged => Compare(output, actual => VerificationError.Relative(actual, expected));

    private static CaseOutcome Compare<TOut>(GuardedTensor<TOut> output, Func<float[], double> errorOf)
        where TOut : unmanaged
    {
        double error = errorOf(Elements.ToFloats(output.Read()));
        long changed = output.ChangedGuards();
        return new CaseOutcome(error, changed == 0 ? null : $"{changed} elements outside the destination changed");
    }
}
