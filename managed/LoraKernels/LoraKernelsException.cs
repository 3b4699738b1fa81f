using System.Globalization;

namespace LoraKernels;

/// <summary>
/// A call into the native library failed. The message is the library's own: it names the argument, its value and what
/// is allowed.
/// </summary>
public class LoraKernelsException : Exception
{
    /// <summary>Makes an exception for a failed call.</summary>
    /// <param name="status">What the call came to.</param>
    /// <param name="message">The argument, its value and what is allowed.</param>
    public LoraKernelsException(LoraKernelsStatus status, string message)
        : base(message) => Status = status;

    /// <summary>What the call came to.</summary>
    public LoraKernelsStatus Status { get; }

    /// <summary>The exception for a status and its native message, with advice where there is some.</summary>
    internal static LoraKernelsException From(LoraKernelsStatus status, string nativeMessage)
    {
        string message = nativeMessage.Length > 0
            ? nativeMessage
            : $"the native library returned status {((int)status).ToString(CultureInfo.InvariantCulture)} ({status})";
        string advice = status switch
        {
            LoraKernelsStatus.Busy =>
                "A stream serves one thread at a time: create one stream per thread with Device.CreateStream().",
            LoraKernelsStatus.AbiMismatch =>
                "Use the same version of the packages LoraKernels and LoraKernels.Native.*.",
            _ => "",
        };
        return new LoraKernelsException(
            status, advice.Length == 0 ? message : $"{message.TrimEnd('.')}. {advice}");
    }
}
