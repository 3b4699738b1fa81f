namespace LoraKernels;

/// <summary>What a call into the native library came to. The values are those of <c>lk_status</c>.</summary>
public enum LoraKernelsStatus
{
    /// <summary>The call did what it says.</summary>
    Ok = 0,

    /// <summary>A value that is out of range, misaligned or malformed.</summary>
    InvalidArgument = 1,

    /// <summary>Arguments that do not fit each other.</summary>
    ShapeMismatch = 2,

    /// <summary>A destination shares memory with an input.</summary>
    Overlap = 3,

    /// <summary>Well formed, but this build or device has no implementation of it.</summary>
    Unsupported = 4,

    /// <summary>An allocation failed; nothing was changed.</summary>
    OutOfMemory = 5,

    /// <summary>More than a batch or a borrowed workspace was created for.</summary>
    CapacityExceeded = 6,

    /// <summary>An adapter that was never added or is removed.</summary>
    NotFound = 7,

    /// <summary>The stream is inside another thread's call, or recording.</summary>
    Busy = 8,

    /// <summary>The native library was built from another version of the header than this assembly.</summary>
    AbiMismatch = 9,

    /// <summary>There is no such device here; the message says why.</summary>
    DeviceUnavailable = 10,

    /// <summary>A defect of the native library; please report the message.</summary>
    Internal = 11,

    /// <summary>
    /// The device failed; every further call on it fails until the process ends. What is on it can still be disposed.
    /// </summary>
    DeviceLost = 12,

    /// <summary>The CUDA driver is older than the library needs; the message names both versions.</summary>
    DriverTooOld = 13,

    /// <summary>There is no code for this GPU in this build of the library; the message says for which.</summary>
    ArchitectureNotBuilt = 14,
}
