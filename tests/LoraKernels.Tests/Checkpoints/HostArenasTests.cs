using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>The memory that a load's weights share.</summary>
public sealed class HostArenasTests
{
    private const int MB = 1 << 20;

    [Test]
    public void AnArenaIsUsedAgain()
    {
        using var arenas = new HostArenas(10 * MB);
        var first = arenas.Rent(3 * MB, default);
        arenas.Return(first);

        Assert.That(arenas.Rent(2 * MB, default), Is.SameAs(first));
        arenas.Return(first);
    }

    [Test]
    public void OneThatWouldGoBeyondTheBudgetWaits()
    {
        using var arenas = new HostArenas(10 * MB);
        var first = arenas.Rent(6 * MB, default);
        var second = Task.Run(() => arenas.Rent(5 * MB, default));
        Assert.That(second.Wait(100), Is.False);

        arenas.Return(first);
        Assert.That(second.Result, Is.SameAs(first));
        arenas.Return(first);
    }

    [Test]
    public void IdleOnesMakeRoomForALargerOne()
    {
        using var arenas = new HostArenas(10 * MB);
        var small = arenas.Rent(6 * MB, default);
        arenas.Return(small);
        var large = arenas.Rent(9 * MB, default);

        Assert.That(large.Size, Is.EqualTo(9 * MB));
        arenas.Return(large);
    }

    [Test]
    public void AWeightBeyondTheBudgetHasItAlone()
    {
        using var arenas = new HostArenas(2 * MB);
        var large = arenas.Rent(5 * MB, default);
        var other = Task.Run(() => arenas.Rent(MB, default));
        Assert.That(other.Wait(100), Is.False);

        arenas.Return(large);
        arenas.Return(other.Result);
    }

    [Test]
    public void CancellingEndsTheWaiting()
    {
        using var arenas = new HostArenas(2 * MB);
        var first = arenas.Rent(2 * MB, default);
        using var cancellation = new CancellationTokenSource();
        var waiting = Task.Run(() => arenas.Rent(MB, cancellation.Token));
        cancellation.Cancel();

        Assert.That(() => waiting.GetAwaiter().GetResult(), Throws.InstanceOf<OperationCanceledException>());
        arenas.Return(first);
    }

    [Test]
    public void PartsAreAlignedAndDoNotOverlap()
    {
        using var arenas = new HostArenas(2 * MB);
        var arena = arenas.Rent(HostArena.SizeFor(101, 2), default);
        var first = arena.Take(100);
        var second = arena.Take(1);
        second.Span[0] = 7;
        first.Span.Fill(1);

        Assert.That(first.Length, Is.EqualTo(100));
        Assert.That(second.Span[0], Is.EqualTo(7));
        arenas.Return(arena);
    }
}
