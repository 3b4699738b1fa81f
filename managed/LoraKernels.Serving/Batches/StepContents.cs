namespace LoraKernels.Serving;

/// <summary>
/// The sequences of a step as the engine names them, what became of each, and the ready ones' rows as a
/// <see cref="LoraBatch"/> takes them. Arrays grow to what steps need and stay.
/// </summary>
internal sealed class StepContents
{
    private Sequence[] _sequences = new Sequence[16];
    private Exception?[] _errors = new Exception?[16];
    private SequenceState[] _states = new SequenceState[16];
    private int[] _ready = new int[16];
    private RowAdapter[] _terms = new RowAdapter[16];
    private long[] _rowOffsets = new long[16];
    private long[] _ids = new long[16];
    private float[] _weights = new float[16];
    private int _termCount;
    private int _readyCount;
    private int _rows;
    private int _entries;

    public int Count { get; private set; }

    /// <summary>Rows of all sequences.</summary>
    public int AllRows { get; private set; }

    public ReadOnlySpan<SequenceState> States => _states.AsSpan(0, Count);

    public ReadOnlySpan<int> Ready => _ready.AsSpan(0, _readyCount);

    /// <summary>Rows of the ready sequences.</summary>
    public int Rows => _rows;

    public ReadOnlySpan<long> RowOffsets => _rowOffsets.AsSpan(0, _rows + 1);

    public ReadOnlySpan<long> Ids => _ids.AsSpan(0, _entries);

    public ReadOnlySpan<float> Weights => _weights.AsSpan(0, _entries);

    public void Clear()
    {
        Array.Clear(_errors, 0, Count);
        Count = 0;
        AllRows = 0;
        _termCount = 0;
        _readyCount = 0;
    }

    public int Add(ReadOnlySpan<RowAdapter> terms, int rows)
    {
        if (Count == _sequences.Length)
        {
            Array.Resize(ref _sequences, 2 * Count);
            Array.Resize(ref _errors, 2 * Count);
            Array.Resize(ref _states, 2 * Count);
            Array.Resize(ref _ready, 2 * Count);
        }
        Reserve(ref _terms, _termCount + terms.Length);
        terms.CopyTo(_terms.AsSpan(_termCount));
        _sequences[Count] = new Sequence(_termCount, terms.Length, AllRows, rows);
        _states[Count] = SequenceState.NoRoom;
        _termCount += terms.Length;
        AllRows = checked(AllRows + rows);
        return Count++;
    }

    public ReadOnlySpan<RowAdapter> TermsOf(int sequence) =>
        _terms.AsSpan(_sequences[sequence].FirstTerm, _sequences[sequence].Terms);

    public int RowsOf(int sequence) => _sequences[sequence].Rows;

    /// <summary>Its first row, counting those of all sequences.</summary>
    public int FirstOfAllRows(int sequence) => _sequences[sequence].FirstRow;

    /// <summary>Its first row of the step, or -1.</summary>
    public int FirstRowOf(int sequence) => _sequences[sequence].FirstReadyRow - 1;

    public Exception? ErrorOf(int sequence) => _errors[sequence];

    public void Judge(int sequence, SequenceState state, Exception? error = null)
    {
        _states[sequence] = state;
        _errors[sequence] = error;
    }

    /// <summary>Lays out the ready sequences' rows; their adapters are on the device and held.</summary>
    public void Compile()
    {
        _readyCount = 0;
        _rows = 0;
        _entries = 0;
        for (int i = 0; i < Count; i++)
        {
            ref Sequence sequence = ref _sequences[i];
            sequence.FirstReadyRow = 0;
            if (_states[i] != SequenceState.Ready)
                continue;
            _ready[_readyCount++] = i;
            sequence.FirstReadyRow = _rows + 1;
            ReadOnlySpan<RowAdapter> terms = TermsOf(i);
            Reserve(ref _rowOffsets, _rows + sequence.Rows + 1);
            Reserve(ref _ids, _entries + sequence.Rows * terms.Length);
            Reserve(ref _weights, _entries + sequence.Rows * terms.Length);
            for (int row = 0; row < sequence.Rows; row++)
            {
                foreach (RowAdapter term in terms)
                {
                    if (term.Adapter is null)
                        continue;
                    _ids[_entries] = term.Adapter.StoredId;
                    _weights[_entries++] = term.Weight;
                }
                _rowOffsets[++_rows] = _entries;
            }
        }
    }

    /// <summary>No rows, as a batch takes them.</summary>
    public void CompileNothing()
    {
        _readyCount = 0;
        _rows = 0;
        _entries = 0;
        for (int i = 0; i < Count; i++)
            _sequences[i].FirstReadyRow = 0;
    }

    private static void Reserve<T>(ref T[] array, int length)
    {
        if (length > array.Length)
            Array.Resize(ref array, Math.Max(length, 2 * array.Length));
    }

    /// <param name="FirstTerm">In the terms of all.</param>
    /// <param name="Terms">How many adapters.</param>
    /// <param name="FirstRow">In the rows of all.</param>
    /// <param name="Rows">How many rows.</param>
    private record struct Sequence(int FirstTerm, int Terms, int FirstRow, int Rows)
    {
        /// <summary>One above its first row of the step; 0 where it is not in the step.</summary>
        public int FirstReadyRow { get; set; }
    }
}
