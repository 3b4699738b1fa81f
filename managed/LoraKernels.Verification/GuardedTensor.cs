using System.Runtime.InteropServices;

namespace LoraKernels.Verification;

/// <summary>
/// A tensor that is, when strided, a slice of a larger one: odd offsets, odd stride, guard values on all sides. Inputs
/// are guarded by NaN, so that a read past the edge shows in the result; around a destination, any change is an error.
/// </summary>
internal sealed class GuardedTensor<T> : IDisposable
    where T : unmanaged
{
    private const long RowsBefore = 1;
    private const long RowsAfter = 2;
    private const long ColumnsBefore = 3;
    private const long ColumnsAfter = 4;

    private readonly T[] _initial;
    private readonly DeviceTensor<T> _whole;
    private readonly bool _strided;

    private GuardedTensor(Device device, T[] values, long rows, long columns, bool strided)
    {
        _strided = strided;
        if (!strided)
        {
            _initial = values;
            _whole = device.Upload<T>(values, rows, columns);
            View = _whole;
            return;
        }

        long wholeRows = rows + RowsBefore + RowsAfter;
        long wholeColumns = columns + ColumnsBefore + ColumnsAfter;
        _initial = new T[wholeRows * wholeColumns];
        Array.Fill(_initial, Elements.FromFloat<T>(float.NaN));
        for (long row = 0; row < rows; row++)
        {
            long first = (row + RowsBefore) * wholeColumns + ColumnsBefore;
            values.AsSpan((int)(row * columns), (int)columns).CopyTo(_initial.AsSpan((int)first));
        }

        _whole = device.Upload<T>(_initial, wholeRows, wholeColumns);
        View = _whole.Slice(RowsBefore, rows, ColumnsBefore, columns);
    }

    /// <summary>What the op gets.</summary>
    public DeviceTensor<T> View { get; }

    /// <summary>A tensor that holds [rows, columns] values.</summary>
    public static GuardedTensor<T> Of(Device device, T[] values, long rows, long columns, bool strided) =>
        new(device, values, rows, columns, strided);

    /// <summary>A destination whose elements are NaN until they are written.</summary>
    public static GuardedTensor<T> Unwritten(Device device, long rows, long columns, bool strided)
    {
        var values = new T[rows * columns];
        Array.Fill(values, Elements.FromFloat<T>(float.NaN));
        return new(device, values, rows, columns, strided);
    }

    /// <summary>The values, row-major and dense.</summary>
    public T[] Read() => View.ToArray();

    /// <summary>How many guard values changed.</summary>
    public long ChangedGuards()
    {
        if (!_strided)
            return 0;
        T[] now = _whole.ToArray();
        long changed = 0;
        for (long row = 0; row < _whole.Rows; row++)
        {
            for (long column = 0; column < _whole.Columns; column++)
            {
                bool inside = row >= RowsBefore && row < RowsBefore + View.Rows
                    && column >= ColumnsBefore && column < ColumnsBefore + View.Columns;
                if (!inside && !SameBits(now[row * _whole.Columns + column], _initial[row * _whole.Columns + column]))
                    changed++;
            }
        }

        return changed;
    }

    public void Dispose()
    {
        View.Dispose();
        _whole.Dispose();
    }

    private static bool SameBits(T a, T b) =>
        MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in a)).SequenceEqual(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in b)));
}
