namespace LoraKernels.Serving;

/// <summary>What became of a step's sequences.</summary>
/// <param name="Ready">How many are in the step.</param>
/// <param name="Loading">How many wait for adapters on their way.</param>
/// <param name="NoRoom">How many do not fit beside those before them.</param>
/// <param name="Refused">How many cannot be computed at all.</param>
/// <param name="Rows">Rows of the step: those of the ready sequences.</param>
public readonly record struct StepResult(int Ready, int Loading, int NoRoom, int Refused, int Rows)
{
    /// <summary>Whether every sequence is in the step.</summary>
    public bool IsComplete => Loading == 0 && NoRoom == 0 && Refused == 0;
}
