namespace LoraKernels.Verification;

/// <summary>Runs cases on a device and compares them with the reference.</summary>
public static class VerificationSuite
{
    /// <summary>Every op with every type and format: the table of the command line's <c>verify</c>.</summary>
    public static IReadOnlyList<VerificationCase> Cases { get; } = VerificationTable.Create();

    /// <summary>Runs cases one after the other; a case that throws is a result that says so.</summary>
    /// <param name="device">Where they run.</param>
    /// <param name="progress">Told after every case.</param>
    /// <param name="filter">Which of <see cref="Cases"/>; null: all.</param>
    /// <param name="cancellation">Ends the run between two cases.</param>
    /// <returns>One result a case, in order.</returns>
    public static IReadOnlyList<VerificationResult> Run(
        Device device, IProgress<VerificationProgress>? progress = null, Func<VerificationCase, bool>? filter = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        VerificationCase[] cases = [.. Cases.Where(@case => filter is null || filter(@case))];
        var results = new List<VerificationResult>(cases.Length);
        foreach (VerificationCase @case in cases)
        {
            cancellation.ThrowIfCancellationRequested();
            results.Add(Run(device, @case));
            progress?.Report(new VerificationProgress(results.Count, cases.Length, results[^1]));
        }

        return results;
    }

    /// <summary>Runs one case.</summary>
    public static VerificationResult Run(Device device, VerificationCase @case)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(@case);
        CaseOutcome outcome;
        try
        {
            outcome = @case.DType switch
            {
                DType.Float32 => new CaseRunner<float>(device, @case).Run(),
                DType.Float16 => new CaseRunner<Half>(device, @case).Run(),
                _ => new CaseRunner<BFloat16>(device, @case).Run(),
            };
        }
        catch (LoraKernelsException exception)
        {
            outcome = new CaseOutcome(VerificationError.Unbounded, exception.Message);
        }

        double limit = @case.LimitIn(device.Compute);
        return new VerificationResult(
            @case.OpName, device.Info.Name, device.Info.Isa, @case.DTypeName, @case.FormatName, @case.Shape,
            outcome.Error, limit, outcome.Error <= limit && outcome.Message is null, outcome.Message);
    }
}
