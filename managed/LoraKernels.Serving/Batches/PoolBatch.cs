namespace LoraKernels.Serving;

/// <summary>
/// Which adapters change which rows of a step, for engines with continuous batching: the sequences of a step are
/// named anew each time, with their rows (one for decoding, many for prefill) and adapters. What a step uses stays on
/// the device until the next one is set, and the streams have passed it. One thread at a time.
/// </summary>
/// <example>
/// <code>
/// batch.Clear();
/// foreach (Request request in running)
///     batch.Add(request.Adapter, request.TokensOfThisStep);
/// StepResult step = batch.Set();           // rows of adapters on their way are left out, and said so
/// foreach (int ready in batch.Ready)       // the others' rows, one sequence after the other
///     Gather(running[ready], x, batch.FirstRowOf(ready));
/// qProj.Forward(x, batch.Plan, y);
/// </code>
/// </example>
public sealed class PoolBatch : IDisposable
{
    private readonly AdapterPool _pool;
    private readonly IStepPlan _plan;
    private readonly StepAdmission _admission;
    private readonly StepContents _contents = new();
    private List<PooledAdapter> _held = [];
    private List<PooledAdapter> _next = [];
    private bool _isDisposed;

    internal PoolBatch(AdapterPool pool, LoraBatchCapacity capacity, IStepPlan plan, StepAdmission admission)
    {
        _pool = pool;
        _plan = plan;
        _admission = admission;
        Capacity = capacity;
    }

    /// <summary>What a step can hold.</summary>
    public LoraBatchCapacity Capacity { get; }

    /// <summary>
    /// The latest step's plan, for <see cref="Linear"/>: always the same object, at the same addresses.
    /// </summary>
    public LoraBatch Plan => _plan.Batch;

    internal IStepPlan PlanOfDevice => _plan;

    /// <summary>How many sequences were added since <see cref="Clear"/>.</summary>
    public int Sequences => _contents.Count;

    /// <summary>[sequences] What became of each when the step was set.</summary>
    public ReadOnlySpan<SequenceState> States => _contents.States;

    /// <summary>The sequences in the step, ascending; their rows lie one after the other.</summary>
    public ReadOnlySpan<int> Ready => _contents.Ready;

    /// <summary>Rows of the step: those of the ready sequences.</summary>
    public int Rows => _contents.Rows;

    /// <summary>The step's row at which a sequence begins; -1 where it is not in the step.</summary>
    /// <param name="sequence">Its index.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence.</exception>
    public int FirstRowOf(int sequence) => _contents.FirstRowOf(Checked(sequence));

    /// <summary>Why a sequence was refused; null where it was not.</summary>
    /// <param name="sequence">Its index.</param>
    /// <returns>
    /// An <see cref="AdapterUnavailableException"/>, an <see cref="AdapterStackingException"/>, or why its adapter
    /// could not be loaded, which stays so until somebody asks for it by
    /// <see cref="AdapterPool.LoadAsync(PooledAdapter, CancellationToken)"/>.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence.</exception>
    public Exception? ErrorOf(int sequence) => _contents.ErrorOf(Checked(sequence));

    /// <summary>
    /// Begins to name the sequences of another step. The latest step stays as it is until the next one is set.
    /// </summary>
    public void Clear() => _contents.Clear();

    /// <summary>Adds a sequence with one adapter, or none.</summary>
    /// <param name="adapter">Null for the base model alone.</param>
    /// <param name="rows">Its rows in this step, 1 or more.</param>
    /// <returns>Its index.</returns>
    /// <exception cref="ArgumentException">An adapter of another pool.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No rows.</exception>
    public int Add(PooledAdapter? adapter, int rows = 1) => AddStacked([new RowAdapter(adapter)], rows);

    /// <summary>Adds a sequence with any number of weighted adapters. Allocates nothing in steady state.</summary>
    /// <param name="adapters">In their order, in which DoRA matters; an adapter may be there more than once.</param>
    /// <param name="rows">Its rows in this step, 1 or more.</param>
    /// <returns>Its index.</returns>
    /// <exception cref="ArgumentException">An adapter of another pool.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No rows, or a weight that is not finite.</exception>
    public int AddStacked(ReadOnlySpan<RowAdapter> adapters, int rows = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        foreach (RowAdapter term in adapters)
        {
            if (term.Adapter is not null && !ReferenceEquals(term.Adapter.Pool, _pool))
                throw new ArgumentException($"adapter '{term.Adapter.Name}' is of another pool", nameof(adapters));
            if (!float.IsFinite(term.Weight))
            {
                throw new ArgumentOutOfRangeException(
                    nameof(adapters), term.Weight, $"the weight of adapter '{term.Adapter?.Name}' must be finite");
            }
        }
        return _contents.Add(adapters, rows);
    }

    /// <summary>
    /// Plans the step, in the order in which sequences were added: those whose adapters are there are in it, those
    /// whose adapters are on their way wait (and are loaded), and so do those that do not fit beside the ones before.
    /// A sequence that waits keeps its place: later ones cannot starve it. Allocates nothing in steady state.
    /// </summary>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">A stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The batch, the pool or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.DeviceLost"/> or <see cref="LoraKernelsStatus.Busy"/>; the plan keeps its old
    /// contents.
    /// </exception>
    public StepResult Set(DeviceStream? stream = null)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        StepResult result = _pool.Admit(_contents, _admission, Capacity, _held, _next);
        _contents.Compile();
        Apply(stream);
        return result;
    }

    /// <summary>
    /// As <see cref="Set"/>, but first waits, without a thread, until no adapter of the step is on its way any more.
    /// The plan has no rows meanwhile, so that what the step before used can make way.
    /// </summary>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <param name="cancellationToken">Ends the wait; loads go on.</param>
    /// <returns>No sequence is <see cref="SequenceState.Loading"/>.</returns>
    /// <inheritdoc cref="Set" path="/exception"/>
    /// <exception cref="OperationCanceledException">The wait was ended; the plan has no rows.</exception>
    public async ValueTask<StepResult> SetWhenLoadedAsync(
        DeviceStream? stream = null, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            StepResult result = _pool.Admit(_contents, _admission, Capacity, _held, _next);
            if (result.Loading == 0)
            {
                _contents.Compile();
                Apply(stream);
                return result;
            }
            _contents.CompileNothing();
            Apply(stream);
            await _pool.WhenSettledAsync(_contents, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Lets go of the plan and of all adapters, once no running call uses them.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        _plan.Dispose();
        _pool.LetGo(_held);
    }

    private int Checked(int sequence)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(sequence, _contents.Count);
        return sequence;
    }

    /// <summary>
    /// Gives the plan its rows; from then on it holds what they need, and no longer what it held before.
    /// </summary>
    private void Apply(DeviceStream? stream)
    {
        try
        {
            _plan.Set(_contents.Rows, _contents.RowOffsets, _contents.Ids, _contents.Weights, stream);
        }
        catch (Exception error)
        {
            _pool.LetGo(_next);
            _pool.Report(error);
            throw;
        }
        (_held, _next) = (_next, _held);
        _pool.LetGo(_next);
    }
}
