namespace LoraKernels.Serving;

/// <summary>How far an adapter is on its way to the device, in the ledger's eyes.</summary>
internal enum Residency
{
    /// <summary>Takes no room and asks for none.</summary>
    Absent,

    /// <summary>Asks for room that others hold now.</summary>
    Waiting,

    /// <summary>Has room; its bytes are on their way.</summary>
    Reserved,

    /// <summary>Can be used.</summary>
    Resident,
}
