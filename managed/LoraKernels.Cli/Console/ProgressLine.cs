using System.Diagnostics;

namespace LoraKernels.Cli;

/// <summary>
/// One line on standard error that says what runs, how far it is and for how long; gone when the work is done.
/// Silent where nobody watches.
/// </summary>
internal sealed class ProgressLine : IDisposable
{
    private const int BarWidth = 24;
    private static readonly TimeSpan s_refresh = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly Terminal _terminal;
    private readonly CancellationToken _cancellation;
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private readonly Timer? _timer;
    private string _text;
    private double? _fraction;
    private bool _disposed;

    public ProgressLine(Terminal terminal, string text, CancellationToken cancellation)
    {
        _terminal = terminal;
        _cancellation = cancellation;
        _text = text;
        if (terminal.ShowsProgress)
            _timer = new Timer(static line => ((ProgressLine)line!).Draw(), this, TimeSpan.Zero, s_refresh);
    }

    /// <summary>Says what runs now; <paramref name="fraction"/> of the whole work, 0 ... 1, where it is known.</summary>
    public void Report(string text, double? fraction = null)
    {
        lock (_gate)
        {
            _text = text;
            _fraction = fraction;
        }
    }

    public void Dispose()
    {
        _timer?.Dispose();
        lock (_gate)
        {
            if (_timer is not null && !_disposed)
                _terminal.ErrorWriter.Write("\r\e[2K");
            _disposed = true;
        }
    }

    private void Draw()
    {
        lock (_gate)
        {
            if (_disposed)
                return;

            string bar = "";
            if (_fraction is { } fraction)
            {
                int full = (int)(Math.Clamp(fraction, 0, 1) * BarWidth);
                bar = $"{new string('━', full)}\e[2m{new string('━', BarWidth - full)}\e[22m ";
            }
            string time = $" {_elapsed.Elapsed.TotalSeconds:F0} s";
            int room = Math.Max(0, _terminal.ErrorWidth - (bar.Length == 0 ? 0 : BarWidth + 1) - time.Length - 1);
            string text = _cancellation.IsCancellationRequested ? $"Stopping after: {_text}" : _text;
            text = text.Length <= room ? text : text[..room];
            _terminal.ErrorWriter.Write($"\r\e[2K{bar}{text}\e[2m{time}\e[22m");
        }
    }
}
