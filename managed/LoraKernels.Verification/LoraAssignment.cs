namespace LoraKernels.Verification;

/// <summary>Which adapters a case puts on which rows.</summary>
public enum LoraAssignment
{
    /// <summary>The adapters in turn; every fourth row has none.</summary>
    InTurn,

    /// <summary>The first adapter on every row.</summary>
    Same,

    /// <summary>No row has an adapter.</summary>
    Nowhere,

    /// <summary>None to three weighted adapters on a row, one adapter possibly twice.</summary>
    Stacked,
}
