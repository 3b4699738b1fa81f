namespace LoraKernels.Tests.Serving;

/// <summary>
/// Runs tasks one at a time, when told to, in an order drawn from a seed: what threads would do in any order happens
/// here in one that can be had again.
/// </summary>
internal sealed class SteppedScheduler(int seed) : TaskScheduler
{
    private readonly Random _random = new(seed);
    private readonly List<Task> _tasks = [];

    /// <summary>Runs one of the tasks.</summary>
    /// <returns>Whether there was one.</returns>
    public bool RunOne()
    {
        Task task;
        lock (_tasks)
        {
            if (_tasks.Count == 0)
                return false;
            int index = _random.Next(_tasks.Count);
            task = _tasks[index];
            _tasks.RemoveAt(index);
        }
        // A test runner's context would take continuations elsewhere.
        SynchronizationContext? context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        TryExecuteTask(task);
        SynchronizationContext.SetSynchronizationContext(context);
        return true;
    }

    /// <summary>Runs all of them, and those that they make.</summary>
    public void RunAll()
    {
        while (RunOne())
        {
        }
    }

    protected override void QueueTask(Task task)
    {
        lock (_tasks)
            _tasks.Add(task);
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    protected override IEnumerable<Task> GetScheduledTasks() => _tasks;
}
