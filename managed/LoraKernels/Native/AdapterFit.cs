using System.Diagnostics.CodeAnalysis;
using LoraKernels.Interop;

namespace LoraKernels.Native;

/// <summary>Whether an adapter fits a table, in full.</summary>
internal static class AdapterFit
{
    /// <summary>The part of the table that each of the adapter's factors changes.</summary>
    /// <exception cref="AdapterMismatchException">Lists everything that does not fit.</exception>
    public static ModulePart[] Match(LoraAdapter adapter, ModuleNames names, string? baseModel)
    {
        var mismatches = new List<string>();
        if (IsStated(adapter.BaseModel) && IsStated(baseModel) && !IsSameModel(adapter.BaseModel, baseModel))
            mismatches.Add($"its base model is '{adapter.BaseModel}', the table's is '{baseModel}'");

        var parts = new ModulePart[adapter.Factors.Count];
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < parts.Length; i++)
        {
            LoraFactors factors = adapter.Factors[i];
            if (!names.TryFindPart(factors.Module, out parts[i]))
            {
                mismatches.Add(names.ExplainUnknownPart(factors.Module));
                continue;
            }
            if (!seen.Add(factors.Module))
                mismatches.Add($"module '{factors.Module}' occurs more than once");
            CheckShape(factors, parts[i], mismatches);
        }
        return mismatches.Count == 0 ? parts : throw new AdapterMismatchException(adapter.Name, mismatches);
    }

    /// <summary>Compares the last parts of two model paths, ignoring case.</summary>
    private static bool IsSameModel(string left, string right) =>
        LastPart(left).Equals(LastPart(right), StringComparison.OrdinalIgnoreCase);

    // Training tools write an empty name where they know none.
    private static bool IsStated([NotNullWhen(true)] string? model) => !string.IsNullOrWhiteSpace(model);

    private static void CheckShape(LoraFactors factors, ModulePart part, List<string> mismatches)
    {
        if (factors.A.Columns != part.InFeatures)
        {
            mismatches.Add($"module '{factors.Module}' has {part.InFeatures} input features, the adapter's A "
                + $"[{factors.A.Rows}, {factors.A.Columns}] has {factors.A.Columns}");
        }
        if (factors.B.Rows != part.OutFeatures)
        {
            mismatches.Add($"module '{factors.Module}' has {part.OutFeatures} output features, the adapter's B "
                + $"[{factors.B.Rows}, {factors.B.Columns}] has {factors.B.Rows}");
        }
        if (factors.Rank is < 1 or > NativeMethods.LK_LORA_MAX_RANK)
        {
            mismatches.Add($"module '{factors.Module}' has rank {factors.Rank} in the adapter; allowed are 1 … "
                + $"{NativeMethods.LK_LORA_MAX_RANK}");
        }
    }

    private static ReadOnlySpan<char> LastPart(string path)
    {
        ReadOnlySpan<char> trimmed = path.AsSpan().Trim().TrimEnd("/\\");
        return trimmed[(trimmed.LastIndexOfAny('/', '\\') + 1)..];
    }
}
