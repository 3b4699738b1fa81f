using System.Globalization;

namespace LoraKernels.Checkpoints;

/// <summary>Cuts weights into slices and puts them together, in their checkpoints' own bytes: no weight changes.</summary>
public static class WeightSlicing
{
    /// <summary>A slice of a weight, in the same format.</summary>
    /// <param name="weight">The whole weight.</param>
    /// <param name="slice">
    /// Begins and ends at a multiple of what the format stores together, or at the weight's end: of columns a group or block,
    /// of rows 1, or 8 where zero points or codes share words along n. Nested scales stay nested, with smaller outer groups
    /// where the slice does not begin with one.
    /// </param>
    /// <exception cref="ArgumentException">
    /// A slice that is not inside the weight or cuts through what is stored together, or columns of a weight with act-order.
    /// </exception>
    public static WeightTensors Slice(this WeightTensors weight, WeightSlice slice)
    {
        ArgumentNullException.ThrowIfNull(weight);
        long size = slice.OfRows ? weight.OutFeatures : weight.InFeatures;
        if (slice.Count > size || slice.First > size - slice.Count)
        {
            throw Refused(weight, slice,
                $"it has {size.ToString(CultureInfo.InvariantCulture)} {(slice.OfRows ? "rows" : "columns")}");
        }
        if (!slice.OfRows && !weight.GroupIndex.IsEmpty)
            throw Refused(weight, slice, "its groups are in act-order, so that columns share scales with others");
        if (GroupsRunAcrossRows(weight)) return SliceAcrossRows(weight, slice);

        var layout = WeightLayout.Of(weight);
        long unit = slice.OfRows ? layout.Units.Rows : layout.Units.Columns;
        Require(weight, slice, unit, size);
        var rows = slice.OfRows ? new Extent(slice.First, slice.Count) : new Extent(0, weight.OutFeatures);
        var columns = slice.OfRows ? new Extent(0, weight.InFeatures) : new Extent(slice.First, slice.Count);
        ByteRuns Runs(Plane plane, long bytes) => plane.Runs(bytes, weight.OutFeatures, weight.InFeatures, rows, columns);
        ReadOnlyMemory<byte> Cut(Plane? plane, ReadOnlyMemory<byte> tensor) =>
            plane is { } p ? Runs(p, tensor.Length).Of(tensor) : default;

        if (weight.Format == WeightFormat.Hqq)
        {
            if (rows.Count * (columns.Count / weight.GroupSize) % 2 != 0)
                throw Refused(weight, slice, "HQQ packs an even number of groups");
            byte[] spread = HqqCodes.Spread(weight.Codes, Runs(layout.Codes, 2L * weight.Codes.Length));
            return With(weight, rows.Count, columns.Count, HqqCodes.Gather(spread), Cut(layout.Scales, weight.Scales),
                Cut(layout.ZeroPoints, weight.ZeroPoints), null);
        }
        var codes = Cut(layout.Codes, weight.Codes);
        if (weight.OuterGroupSize > 0)
            return WithNestedScales(weight, rows.Count, columns.Count, codes, Runs(layout.Scales!.Value, weight.Scales.Length));
        return With(weight, rows.Count, columns.Count, codes, Cut(layout.Scales, weight.Scales),
            Cut(layout.ZeroPoints, weight.ZeroPoints), null);
    }

    /// <summary>
    /// One weight whose rows are those of several, in their order: a fused QKV or gate/up projection.
    /// </summary>
    /// <param name="weights">
    /// Of one format, K, group size and type of scales, and with equal tables and tensor scales. Where zero points or codes
    /// share words along n, all but the last have a multiple of 8 rows. Nested scales become plain ones unless their maps and
    /// offsets are equal, as those of slices of one weight are.
    /// </param>
    /// <exception cref="ArgumentException">Weights that differ, or none; says in what.</exception>
    public static WeightTensors Concatenate(IReadOnlyList<WeightTensors> weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        if (weights.Count == 0) throw new ArgumentException("there are no weights to put together", nameof(weights));
        if (weights.Count == 1) return weights[0];
        var outer = NestedScales.Stack(weights);
        WeightTensors[] parts = [.. outer is null ? weights.Select(NestedScales.Expand) : weights];
        var first = parts[0];
        for (int i = 1; i < parts.Length; i++)
        {
            if (Difference(first, parts[i]) is { } difference)
                throw new ArgumentException($"weight {i} has {difference}; weights that are put together agree", nameof(weights));
        }
        long unit = GroupsRunAcrossRows(first) ? RowsOfWholeGroups(first) : WeightLayout.Of(first).Units.Rows;
        if (Array.FindIndex(parts, 0, parts.Length - 1, p => p.OutFeatures % unit != 0) is >= 0 and int broken)
        {
            throw new ArgumentException($"weight {broken} has {parts[broken].OutFeatures} rows; {first.Format} stores {unit} "
                + "together, so that all weights but the last have multiples of that", nameof(weights));
        }

        var layout = WeightLayout.Of(first);
        long[] rows = [.. parts.Select(p => p.OutFeatures)];
        bool hqq = first.Format == WeightFormat.Hqq;
        byte[] Stack(Plane? plane, Func<WeightTensors, ReadOnlyMemory<byte>> tensor) =>
            plane?.Stack([.. parts.Select(tensor)], rows, first.InFeatures) ?? [];
        byte[] codes = Stack(layout.Codes, p => hqq ? HqqCodes.Spread(p.Codes.Span) : p.Codes);
        return With(first, rows.Sum(), first.InFeatures,
            hqq ? HqqCodes.Gather(codes) : codes, Stack(layout.Scales, p => p.Scales),
            Stack(layout.ZeroPoints, p => p.ZeroPoints), outer);
    }

    private static bool GroupsRunAcrossRows(WeightTensors weight) =>
        weight.Format is WeightFormat.BitsAndBytesNf4 or WeightFormat.BitsAndBytesFp4
        && weight.InFeatures % weight.GroupSize != 0;

    // Groups are counted over all weights: rows that begin and end with one.
    private static WeightTensors SliceAcrossRows(WeightTensors weight, WeightSlice slice)
    {
        if (!slice.OfRows)
        {
            throw Refused(weight, slice, $"its groups of {weight.GroupSize} run across rows of {weight.InFeatures}, which "
                + "have no columns in common");
        }
        Require(weight, slice, RowsOfWholeGroups(weight), weight.OutFeatures);
        long begin = slice.First * weight.InFeatures;
        long count = slice.Count * weight.InFeatures;
        long first = begin / weight.GroupSize;
        long groups = (count + weight.GroupSize - 1) / weight.GroupSize;
        var codes = new ByteRuns(begin / 2, (count + 1) / 2).Of(weight.Codes);
        if (weight.OuterGroupSize > 0)
            return WithNestedScales(weight, slice.Count, weight.InFeatures, codes, new ByteRuns(first, groups));
        var scales = new ByteRuns(first * sizeof(float), groups * sizeof(float)).Of(weight.Scales);
        return With(weight, slice.Count, weight.InFeatures, codes, scales, default, null);
    }

    /// <summary>A slice with the scales of some groups: nested where that is smaller, else plain.</summary>
    private static WeightTensors WithNestedScales(
        WeightTensors weight, long outFeatures, long inFeatures, ReadOnlyMemory<byte> codes, ByteRuns groups)
    {
        var scales = groups.Of(weight.Scales);
        var outer = NestedScales.Cut(weight, groups);
        return With(weight, outFeatures, inFeatures, codes,
            outer is null ? NestedScales.Expand(weight, scales.Span, groups) : scales, default, outer);
    }

    private static void Require(WeightTensors weight, WeightSlice slice, long unit, long size)
    {
        long end = slice.First + slice.Count;
        if (slice.First % unit == 0 && (end % unit == 0 || end == size)) return;
        throw Refused(weight, slice, $"a slice begins and ends at multiples of {unit}, or at the end ({size})");
    }

    /// <summary>In what two weights differ that cannot be put together; null when they can.</summary>
    private static string? Difference(WeightTensors first, WeightTensors other)
    {
        (string What, object First, object Other)[] facts =
        [
            ("format", first.Format, other.Format),
            ("in features", first.InFeatures, other.InFeatures),
            ("group size", first.GroupSize, other.GroupSize),
            ("type of scales", first.ScaleDType, other.ScaleDType),
            ("tensor scale", first.TensorScale, other.TensorScale),
            ("way of scaling", ScalingOf(first), ScalingOf(other)),
            ("zero points", ZeroPointsOf(first), ZeroPointsOf(other)),
        ];
        foreach (var (what, mine, theirs) in facts)
        {
            if (!mine.Equals(theirs)) return $"the {what} {theirs}, the first one {mine}";
        }
        if (!first.GroupIndex.Span.SequenceEqual(other.GroupIndex.Span))
            return "another order of groups (act-order) than the first one";
        return first.Table.Span.SequenceEqual(other.Table.Span) ? null : "another table of values than the first one";
    }

    private static string ScalingOf(WeightTensors weight) => weight.TensorScaleDivides ? "divided" : "multiplied";

    private static string ZeroPointsOf(WeightTensors weight) => weight.ZeroPoints.IsEmpty ? "none"
        : weight.ZeroPoints.Length == weight.Scales.Length ? "numbers" : "integers";

    private static long RowsOfWholeGroups(WeightTensors weight) =>
        weight.GroupSize / GreatestCommonDivisor(weight.GroupSize, weight.InFeatures);

    private static WeightTensors With(
        WeightTensors weight, long outFeatures, long inFeatures, ReadOnlyMemory<byte> codes, ReadOnlyMemory<byte> scales,
        ReadOnlyMemory<byte> zeroPoints, OuterScales? outer) => new()
        {
            Format = weight.Format,
            OutFeatures = outFeatures,
            InFeatures = inFeatures,
            GroupSize = weight.GroupSize,
            TensorScale = weight.TensorScale,
            TensorScaleDivides = weight.TensorScaleDivides,
            ScaleDType = weight.ScaleDType,
            Codes = codes,
            Scales = scales,
            ZeroPoints = zeroPoints,
            GroupIndex = UnreadPart.Load(weight.GroupIndex),
            Table = UnreadPart.Load(weight.Table),
            OuterGroupSize = outer?.GroupSize ?? 0,
            OuterOffset = outer is null ? 0 : weight.OuterOffset,
            OuterTable = outer is null ? default : UnreadPart.Load(weight.OuterTable),
            OuterScales = outer?.Scales,
        };

    private static ArgumentException Refused(WeightTensors weight, WeightSlice slice, string reason) => new(
        $"{slice} of {weight.Format} [{weight.OutFeatures}, {weight.InFeatures}] cannot be cut out: {reason}", nameof(slice));

    private static long GreatestCommonDivisor(long a, long b)
    {
        while (b != 0) (a, b) = (b, a % b);
        return a;
    }
}
