using System.Runtime.InteropServices;

namespace LoraKernels.Checkpoints;

/// <summary>
/// The updates of parameters inside of modules (<c>target_parameters</c>), as PEFT's ParamWrapper defines them: of E experts'
/// stacked weights A is [E · rank, in features], expert by expert, and B [out features, rank · E], where the experts' columns
/// take turns. Each expert is a linear of its own here, by the name that its weight has in a <see cref="Checkpoint"/>.
/// </summary>
internal sealed class PeftParameters
{
    private const int MaxExperts = 1024;
    private const string GateUp = "gate_up_proj";
    private const string Down = "down_proj";

    private readonly PeftConfig _config;
    private readonly SafetensorsFile _weights;
    private readonly List<Update> _updates = [];

    /// <param name="Key">The parameter's name.</param>
    /// <param name="A">Of all experts.</param>
    /// <param name="B">Of all experts.</param>
    /// <param name="Rank">Of an expert's update.</param>
    /// <param name="Experts">1 where the parameter is a matrix.</param>
    /// <param name="Transposed">
    /// Whether PEFT took the out features for those in: it does where the model stacks weights [out, in], as nn.Linear has them.
    /// </param>
    private sealed record Update(string Key, TensorInfo A, TensorInfo B, int Rank, int Experts, bool Transposed);

    /// <summary>Finds out which parameter each update is of, and refuses what the file does not tell.</summary>
    /// <param name="config">Names the parameters.</param>
    /// <param name="weights">The adapter's tensors.</param>
    /// <param name="wrapped">Of each module the updates of its parameters, those of the outermost wrapper first.</param>
    /// <exception cref="CheckpointException">Updates that fit no parameter, or more than one.</exception>
    public PeftParameters(
        PeftConfig config, SafetensorsFile weights,
        IReadOnlyDictionary<string, SortedDictionary<int, SortedDictionary<PeftPart, TensorInfo>>> wrapped)
    {
        _config = config;
        _weights = weights;
        foreach (var (module, wrappers) in wrapped)
        {
            if (config.ParametersOf(module).Length > 0 && wrappers.Keys.Last() != wrappers.Count - 1)
                throw Error(wrappers.Values.Last().Values.First(), "is inside a wrapper that changes nothing");
            Resolve(module, [.. wrappers.Values]);
        }
    }

    /// <summary>An update for each expert.</summary>
    public IEnumerable<LoraFactors> ReadFactors() => _updates.SelectMany(ReadFactors);

    private void Resolve(string module, SortedDictionary<PeftPart, TensorInfo>[] wrappers)
    {
        string[] names = _config.ParametersOf(module);
        var any = wrappers[0].Values.First();
        if (names.Length != wrappers.Length)
        {
            throw Error(any, $"is of one of {wrappers.Length} parameters that change in {CheckpointException.Quote(module)}, but "
                + $"target_parameters names {names.Length} of it{(names.Length == 0 ? "" : $": {string.Join(", ", names)}")}");
        }
        if (names is [var name])
        {
            var update = Check(module, name, wrappers[0], transposed: false);
            if (update.Experts > 1 && update.A.Shape[1] == update.B.Shape[0])
            {
                throw Error(update.A, $"has as many in as out features ({update.A.Shape[1]}), so that the file does not tell which way "
                    + "round the experts' weights lie; updates of gate_up_proj and down_proj together can be read");
            }
            _updates.Add(update);
            return;
        }
        if (names.Length != 2 || !names.Contains(GateUp) || !names.Contains(Down))
        {
            throw Error(any, $"is of one of {names.Length} parameters of {CheckpointException.Quote(module)} "
                + $"({string.Join(", ", names)}), and the file does not tell of which; one, or {GateUp} and {Down}, can be read");
        }
        ResolvePair(module, wrappers[0], wrappers[1]);
    }

    /// <summary>
    /// Tells gate_up_proj from down_proj, whichever PEFT wrapped first, and which way round they lie: gate_up_proj has twice as
    /// many out features as down_proj has in, and one's others are the other's. No two ways fit one pair of shapes.
    /// </summary>
    private void ResolvePair(
        string module, SortedDictionary<PeftPart, TensorInfo> outer, SortedDictionary<PeftPart, TensorInfo> inner)
    {
        foreach (bool transposed in (bool[])[false, true])
        {
            foreach (var (gateUp, down) in ((SortedDictionary<PeftPart, TensorInfo>, SortedDictionary<PeftPart, TensorInfo>)[])
                [(inner, outer), (outer, inner)])
            {
                var first = Check(module, GateUp, gateUp, transposed);
                var second = Check(module, Down, down, transposed);
                var (gateUpIn, gateUpOut) = Features(first);
                var (downIn, downOut) = Features(second);
                if (gateUpIn != downOut || gateUpOut != 2 * downIn || first.Experts != second.Experts) continue;
                _updates.Add(first);
                _updates.Add(second);
                return;
            }
        }
        throw Error(outer.Values.First(), $"and its partners have shapes of no {GateUp} and {Down} of "
            + $"{CheckpointException.Quote(module)}: {string.Join(", ", outer.Values.Concat(inner.Values).Select(t => t.ShapeText))}");
    }

    private static (long In, long Out) Features(Update update) =>
        update.Transposed ? (update.B.Shape[0], update.A.Shape[1]) : (update.A.Shape[1], update.B.Shape[0]);

    private Update Check(string module, string name, SortedDictionary<PeftPart, TensorInfo> parts, bool transposed)
    {
        if (!parts.TryGetValue(PeftPart.A, out var a) || !parts.TryGetValue(PeftPart.B, out var b))
        {
            var found = parts.Values.First();
            throw Error(found, $"has no partner {(parts.ContainsKey(PeftPart.A) ? "lora_B" : "lora_A")} beside it");
        }
        PeftModules.RequireMatrix(a);
        PeftModules.RequireMatrix(b);
        string key = $"{module}.{name}";
        int rank = (int)_config.RankOf(key);
        long experts = a.Shape[0] / rank;
        if (a.Shape[0] % rank != 0 || experts is < 1 or > MaxExperts)
        {
            throw Error(a, $"has {a.Shape[0]} rows in {a.ShapeText}; expected the rank of {CheckpointException.Quote(key)}, {rank}, for "
                + $"each of 1 to {MaxExperts} experts");
        }
        if (b.Shape[1] != a.Shape[0])
            throw Error(b, $"has {b.Shape[1]} columns in {b.ShapeText}, but its A {a.ShapeText} has {a.Shape[0]} rows");
        return new Update(key, a, b, rank, (int)experts, transposed);
    }

    private IEnumerable<LoraFactors> ReadFactors(Update update)
    {
        byte[] a = _weights.Read(update.A.Name), b = _weights.Read(update.B.Name);
        float scale = _config.ScaleOf(update.Key, update.Rank);
        for (int expert = 0; expert < update.Experts; expert++)
        {
            var (factorA, factorB) = Factors(update, a, b, expert);
            yield return new LoraFactors(NameOf(update, expert), factorA, factorB, scale);
        }
    }

    private static (HostMatrix A, HostMatrix B) Factors(Update update, byte[] a, byte[] b, int expert)
    {
        (int rank, int experts) = (update.Rank, update.Experts);
        (int columnsOfA, int rowsOfB) = ((int)update.A.Shape[1], (int)update.B.Shape[0]);
        DType typeOfA = PeftAdapter.DTypeOf(update.A.Type)!.Value, typeOfB = PeftAdapter.DTypeOf(update.B.Type)!.Value;
        var ofA = new Grid(expert * rank * columnsOfA, rank, columnsOfA, columnsOfA, 1);
        var ofB = new Grid(expert, rowsOfB, rank * experts, rank, experts);
        return update.Transposed
            ? (Matrix(b, ofB.Transposed(), typeOfB), Matrix(a, ofA.Transposed(), typeOfA))
            : (Matrix(a, ofA, typeOfA), Matrix(b, ofB, typeOfB));
    }

    /// <summary>Elements of a tensor that are a matrix.</summary>
    private readonly record struct Grid(int First, int Rows, int RowStride, int Columns, int ColumnStride)
    {
        public Grid Transposed() => new(First, Columns, ColumnStride, Rows, RowStride);
    }

    private static HostMatrix Matrix(byte[] tensor, Grid grid, DType dtype) => new(
        dtype == DType.Float32 ? Take<uint>(tensor, grid) : Take<ushort>(tensor, grid), grid.Rows, grid.Columns, dtype);

    private static byte[] Take<T>(byte[] tensor, Grid grid)
        where T : unmanaged
    {
        var elements = MemoryMarshal.Cast<byte, T>(tensor);
        var taken = new T[grid.Rows * grid.Columns];
        for (int row = 0; row < grid.Rows; row++)
        {
            for (int column = 0; column < grid.Columns; column++)
                taken[row * grid.Columns + column] = elements[grid.First + row * grid.RowStride + column * grid.ColumnStride];
        }
        return MemoryMarshal.AsBytes<T>(taken).ToArray();
    }

    // A matrix that is a module's weight changes the module.
    private static string NameOf(Update update, int expert) =>
        update.Experts > 1 ? $"{update.Key}.{expert}"
        : update.Key.EndsWith(".weight", StringComparison.Ordinal) ? update.Key[..^".weight".Length]
        : update.Key;

    private static CheckpointException Error(TensorInfo tensor, string reason) => new(tensor.File, tensor.Name, reason);
}
