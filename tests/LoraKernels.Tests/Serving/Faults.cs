namespace LoraKernels.Tests.Serving;

/// <summary>Fails the n-th of everything that can fail: reads, uploads, plans.</summary>
internal sealed class Faults
{
    /// <summary>How many more succeed before one fails; negative: none fails.</summary>
    public int SucceedFirst { get; set; } = -1;

    /// <summary>Whether one has failed.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>What the failing one throws.</summary>
    public Func<Exception> Make { get; set; } = () => new InjectedException();

    public void Pass()
    {
        if (SucceedFirst >= 0 && SucceedFirst-- == 0)
        {
            HasFailed = true;
            throw Make();
        }
    }
}

/// <summary>A failure made by a test.</summary>
public sealed class InjectedException : Exception
{
    /// <summary>Says what it is.</summary>
    public InjectedException()
        : base("made by a test")
    {
    }
}
