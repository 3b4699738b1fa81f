namespace LoraKernels.Serving;

/// <summary>What the pool asks of a device. All of it may be called from several threads at once.</summary>
internal interface IPoolDevice : IDisposable
{
    /// <summary>Checks an adapter against the modules and measures it; moves nothing.</summary>
    /// <exception cref="AdapterMismatchException">Everything that does not fit.</exception>
    AdapterShape Inspect(LoraAdapter adapter);

    /// <summary>Copies an adapter to the device: all of it, or nothing. Returns when it is there.</summary>
    IStoredAdapter Upload(LoraAdapter adapter);

    /// <summary>Memory for a step's plan.</summary>
    IStepPlan CreatePlan(LoraBatchCapacity capacity, DeviceStream? stream);
}

/// <summary>An adapter on the device.</summary>
internal interface IStoredAdapter
{
    /// <summary>Its number there, never used again.</summary>
    long Id { get; }

    /// <summary>Removes it; steps that run keep what they use. Waits for nothing.</summary>
    void Remove();
}

/// <summary>A step's plan on the device.</summary>
internal interface IStepPlan : IDisposable
{
    /// <summary>What operations take.</summary>
    LoraBatch Batch { get; }

    /// <inheritdoc cref="LoraBatch.Set(long, ReadOnlySpan{long}, ReadOnlySpan{long}, ReadOnlySpan{float}, DeviceStream?)"/>
    void Set(
        long rows, ReadOnlySpan<long> rowOffsets, ReadOnlySpan<long> ids, ReadOnlySpan<float> weights, DeviceStream? stream);
}
