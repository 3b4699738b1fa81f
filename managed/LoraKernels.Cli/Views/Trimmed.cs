using Spectre.Console.Rendering;

namespace LoraKernels.Cli.Views;

/// <summary>Renders something without blanks at the ends of its lines and without empty lines around it.</summary>
internal sealed class Trimmed(IRenderable inner) : Renderable
{
    protected override Measurement Measure(RenderOptions options, int maxWidth) => inner.Measure(options, maxWidth);

    protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
    {
        List<List<Segment>> lines = [.. Segment.SplitLines(inner.Render(options, maxWidth)).Select(TrimEnd)];
        int first = lines.FindIndex(static line => line.Count > 0);
        int last = lines.FindLastIndex(static line => line.Count > 0);
        for (int i = Math.Max(first, 0); i <= last; i++)
        {
            foreach (Segment segment in lines[i])
                yield return segment;
            yield return Segment.LineBreak;
        }
    }

    private static List<Segment> TrimEnd(SegmentLine line)
    {
        List<Segment> segments = [.. line];
        while (segments.Count > 0 && string.IsNullOrWhiteSpace(segments[^1].Text))
            segments.RemoveAt(segments.Count - 1);
        if (segments.Count > 0)
            segments[^1] = new Segment(segments[^1].Text.TrimEnd(), segments[^1].Style);
        return segments;
    }
}
